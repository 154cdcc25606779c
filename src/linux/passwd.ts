/** A line of passwd(5), as far as it is used here. */
export interface PasswdEntry {
  name: string;
  uid: number;
  home: string;
}

/** Finds a user in the text of an /etc/passwd. */
export function findUser(passwd: string, uid: number): PasswdEntry | undefined {
  for (const line of passwd.split("\n")) {
    const [name = "", , id, , , home = ""] = line.split(":");
    if (id === String(uid) && name !== "") return { name, uid, home };
  }
  return undefined;
}

import { messageOf } from "./error";

/**
 * What went wrong with a file, in words that Docker does not take for a missing command of the container: it looks for
 * "no such file or directory" and "permission denied".
 */
export function fileProblem(error: unknown): string {
  const { code } = error as NodeJS.ErrnoException;
  if (code === "ENOENT") return "not found";
  if (code === "ENOTDIR") return "not below a directory";
  if (code === "EACCES" || code === "EPERM") return "access denied";
  if (code === "EISDIR") return "is a directory";
  if (code === "ELOOP") return "too many levels of symbolic links";
  if (code === "EBUSY") return "is mounted or in use";
  if (code === "ENOSPC") return "the disk is full";
  return code ?? messageOf(error);
}

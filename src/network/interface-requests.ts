/** What `runv interface` asks of a monitor. */

/** An interface of the guest. */
export interface InterfaceInfo {
  name: string;
  mac: string;
  /** `172.17.0.2/16`. */
  addresses: string[];
  mtu: number;
}

export interface AddInterface {
  /** The tap of the new interface: a descriptor of that process. */
  pid: number;
  tap: number;
  /** In the guest; the first free eth0, eth1… if undefined. */
  name: string | undefined;
  /** With the length of its prefix. */
  ip: string | undefined;
  mac: string | undefined;
  mtu: number | undefined;
}

export interface UpdateInterface {
  name: string;
  addIp: string | undefined;
  deleteIp: string | undefined;
  mtu: number | undefined;
}

export type InterfaceChange =
  | { do: "list" }
  | ({ do: "add" } & AddInterface)
  | { do: "remove"; name: string }
  | ({ do: "update" } & UpdateInterface);

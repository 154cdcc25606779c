/** config.json as a whole: config.md of the OCI runtime specification 1.3. */
import { hooks } from "./hooks";
import { linux } from "./linux";
import { quote, readDocument, refuse } from "./mismatch";
import { mounts } from "./mounts";
import { checkNamespaces, findNamespace, type NamespaceType } from "./namespaces";
import { process } from "./process";
import { checked, defaulted, type Infer, map, object, optionalString } from "./reader";
import { boolean, string } from "./scalars";
import { checkSysctls } from "./sysctl";

/** Semantic versioning 2.0.0; drafts of 2016 call themselves 0.6.0-dev. */
const ociVersion = checked(string, (version) => {
  const match = /^(\d+)\.\d+\.\d+(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?$/.exec(version);
  if (match === null) return `${quote(version)} is not a semantic version`;
  return Number(match[1]) <= 1 ? undefined : `unsupported version ${quote(version)}: must be 1.x`;
});

const root = object({
  /** Absolute, or relative to the bundle. */
  path: checked(string, (path) => (path === "" ? "must not be empty" : undefined)),
  readonly: defaulted(boolean, () => false),
});

export const config = object({
  ociVersion,
  process,
  root,
  hostname: optionalString(string),
  domainname: optionalString(string),
  mounts,
  hooks: defaulted(hooks, () => hooks({})),
  linux: defaulted(linux, () => linux({})),
  annotations: defaulted(map(string), () => ({})),
});

/** config.json as read: lists and sections that it leaves out are empty, other absent fields absent. */
export interface Config extends Infer<typeof config> {}

/**
 * Reads a config.json that was parsed by `parseJson`.
 * @throws RunvError CONFIG_INVALID, the path of the field first: `process.cwd: must be an absolute path`
 */
export function readConfig(document: unknown): Config {
  const typed = readDocument(config, document);
  checkNamespaces(typed.linux.namespaces);
  checkSettingsOfNamespaces(typed);
  checkUserNamespace(typed);
  checkSysctls(typed.linux);
  giveZeroItsMeaning(typed);
  return typed;
}

/**
 * A `pids.limit` of 0 is a limit since specification 1.3, of one process, as with runc since 1.4. Those before did not know it from an absent one, and
 * clients of their time write it when they mean none.
 */
function giveZeroItsMeaning({ ociVersion, linux: { resources } }: Config): void {
  const { pids } = resources ?? {};
  if (pids?.limit !== 0) return;
  const [major = 0, minor = 0] = ociVersion.split(".").map(Number);
  if (major > 1 || (major === 1 && minor >= 3)) pids.limit = 1;
  else delete pids.limit;
}

/** What only a namespace of its own lets a container set; in runc's words. */
function checkSettingsOfNamespaces({ hostname, domainname, linux }: Config): void {
  const missing = (type: NamespaceType) => findNamespace(linux.namespaces, type) === undefined;
  const require = (present: boolean, path: string, type: NamespaceType, says: string) => {
    if (present && missing(type)) refuse(path, says);
  };
  require(hostname !== undefined, "hostname", "uts", "unable to set hostname without a private UTS namespace");
  require(domainname !== undefined, "domainname", "uts", "unable to set domainname without a private UTS namespace");
  const restricted = "unable to restrict sys entries without a private MNT namespace";
  require(linux.maskedPaths.length > 0, "linux.maskedPaths", "mount", restricted);
  require(linux.readonlyPaths.length > 0, "linux.readonlyPaths", "mount", restricted);
  const { netDevices = {} } = linux;
  require(Object.keys(netDevices).length >
    0, "linux.netDevices", "network", "unable to move network devices without a NET namespace");
  require(linux.timeOffsets !==
    undefined, "linux.timeOffsets", "time", "time namespace offsets specified, but time namespace isn't enabled in the config");
  if (linux.timeOffsets !== undefined && findNamespace(linux.namespaces, "time")?.path !== undefined) {
    refuse("linux.timeOffsets", "time namespace enabled, but both namespace path and time offsets specified");
  }
}

/** A user namespace is joined by its path or made with mappings; mappings without one mean nothing. */
function checkUserNamespace({ linux }: Config): void {
  const { uidMappings, gidMappings, namespaces } = linux;
  const user = findNamespace(namespaces, "user");
  const mapped = uidMappings !== undefined || gidMappings !== undefined;
  if (user === undefined && mapped) {
    const path = uidMappings === undefined ? "linux.gidMappings" : "linux.uidMappings";
    refuse(path, "user namespace mappings specified, but user namespace isn't enabled in the config");
  }
  if (user !== undefined && user.path === undefined && !mapped) {
    refuse(
      "linux.namespaces",
      "user namespaces enabled, but no namespace path to join nor mappings to apply specified",
    );
  }
}

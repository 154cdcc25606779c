/** By this name `--driver`, and config.toml, ask for containers without a virtual machine: processes of this host's own kernel. */
export const hostDriver = "host";

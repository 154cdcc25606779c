/** QEMU's words for a kernel that it cannot start (hw/i386/x86.c): neither a bzImage nor an ELF file with a PVH entry, or a broken one. Not for one that it cannot read. */
export const kernelRefused =
  /PVH ELF Note|kernel too old|[Cc]ould not (load|open) kernel(?!.*(Permission denied|No such file))|invalid kernel header|no kernel image/;

/** What mends that. */
export const kernelHint = "make kernel and initrd: runv image build; a kernel of your own needs CONFIG_PVH";

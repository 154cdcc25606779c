/** Where images are looked for and made: the places that runV had. */

export const defaultKernel = "/var/lib/hyper/kernel";
export const defaultInitrd = "/var/lib/hyper/hyper-initrd.img";

/** Downloaded distribution kernels. */
export const defaultCache = "/var/cache/runv";

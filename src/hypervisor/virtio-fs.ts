import type { GuestMount } from "./driver";

/** A share over virtiofs, as virtiofsd serves it. Each file that a user of the guest creates is that user's on the host too. */
export const virtioFs: GuestMount = { type: "virtiofs", options: () => "", modules: ["virtiofs"] };

/** User and group id mappings: config-linux.md, "User namespace mappings". */
import { array, checked, type Infer, object } from "./reader";
import { integer, uint32 } from "./scalars";

const idMapping = object({
  /** The first id inside. */
  containerID: uint32,
  /** The first id outside that it stands for. */
  hostID: uint32,
  /** How many follow. */
  size: integer(1, 0xffff_ffff),
});

export const idMappings = array(
  checked(idMapping, ({ containerID, hostID, size }) =>
    Math.max(containerID, hostID) + size > 0x1_0000_0000 ? "reaches beyond the last id" : undefined,
  ),
);

export interface IdMapping extends Infer<typeof idMapping> {}

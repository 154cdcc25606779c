/** The compressions that kernels and their modules come in, known by how the data begins. */
import { RunvError } from "../base/error";
import { run } from "./run";

interface Compression {
  name: string;
  magic: readonly number[];
  decompress(data: Uint8Array): Uint8Array | Promise<Uint8Array>;
}

const through =
  (...command: string[]) =>
  (input: Uint8Array) =>
    run(command, { input, install: packageOf[command[0]!]! });

const packageOf: Readonly<Record<string, string>> = {
  xz: "apt-get install xz-utils",
  lz4: "apt-get install lz4",
  bzip2: "apt-get install bzip2",
  lzop: "apt-get install lzop",
};

const compressions: readonly Compression[] = [
  { name: "gzip", magic: [0x1f, 0x8b], decompress: (data) => Bun.gunzipSync(data as Uint8Array<ArrayBuffer>) },
  { name: "zstd", magic: [0x28, 0xb5, 0x2f, 0xfd], decompress: (data) => Bun.zstdDecompressSync(data) },
  { name: "xz", magic: [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00], decompress: through("xz", "-dc") },
  { name: "lzma", magic: [0x5d, 0x00, 0x00], decompress: through("xz", "--format=lzma", "-dc") },
  { name: "lz4", magic: [0x02, 0x21, 0x4c, 0x18], decompress: through("lz4", "-dc") },
  { name: "bzip2", magic: [0x42, 0x5a, 0x68], decompress: through("bzip2", "-dc") },
  { name: "lzo", magic: [0x89, 0x4c, 0x5a, 0x4f], decompress: through("lzop", "-dc") },
];

/** The compression of the data; undefined when it has none that is known. */
export function compressionOf(data: Uint8Array): string | undefined {
  return find(data)?.name;
}

/** The plain data; data without a known compression is returned as it is. `what` names it in errors. */
export async function decompress(data: Uint8Array, what: string): Promise<Uint8Array> {
  const compression = find(data);
  if (compression === undefined) return data;
  try {
    return await compression.decompress(data);
  } catch (error) {
    if (error instanceof RunvError && error.code === "IMAGE_TOOL_MISSING") throw error;
    const message = `decompress ${what} (${compression.name}): ${(error as Error).message}`;
    throw new RunvError("IMAGE_DECOMPRESS", message, { cause: error });
  }
}

function find(data: Uint8Array): Compression | undefined {
  return compressions.find(({ magic }) => magic.every((byte, index) => data[index] === byte));
}

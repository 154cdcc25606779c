/** The Huffman code of HPACK (RFC 7541, section 5.2 and appendix B). */

/**
 * The symbols by the length of their codes, in the order of the codes. The code is canonical: each code is the one before it plus one,
 * with zeros behind where codes become longer, up to 30 ones: no sequence of bits is without a symbol. Symbol 256 is the end of a string, which a string must not have.
 */
const symbols: readonly (readonly [bits: number, symbols: string | readonly number[]])[] = [
  [5, "012aceiost"],
  [6, " %-./3456789=A_bdfghlmnpru"],
  [7, ":BCDEFGHIJKLMNOPQRSTUVWYjkqvwxyz"],
  [8, "&*,;XZ"],
  [10, '!"()?'],
  [11, "'+|"],
  [12, "#>"],
  [13, [0, 36, 64, 91, 93, 126]],
  [14, "^}"],
  [15, "<`{"],
  [19, [92, 195, 208]],
  [20, [128, 130, 131, 162, 184, 194, 224, 226]],
  [21, [153, 161, 167, 172, 176, 177, 179, 209, 216, 217, 227, 229, 230]],
  [
    22,
    [
      129, 132, 133, 134, 136, 146, 154, 156, 160, 163, 164, 169, 170, 173, 178, 181, 185, 186, 187, 189, 190, 196, 198,
      228, 232, 233,
    ],
  ],
  [
    23,
    [
      1, 135, 137, 138, 139, 140, 141, 143, 147, 149, 150, 151, 152, 155, 157, 158, 165, 166, 168, 174, 175, 180, 182,
      183, 188, 191, 197, 231, 239,
    ],
  ],
  [24, [9, 142, 144, 145, 148, 159, 171, 206, 215, 225, 236, 237]],
  [25, [199, 207, 234, 235]],
  [26, [192, 193, 200, 201, 202, 205, 210, 213, 218, 219, 238, 240, 242, 243, 255]],
  [27, [203, 204, 211, 212, 214, 221, 222, 223, 241, 244, 245, 246, 247, 248, 250, 251, 252, 253, 254]],
  [
    28,
    [2, 3, 4, 5, 6, 7, 8, 11, 12, 14, 15, 16, 17, 18, 19, 20, 21, 23, 24, 25, 26, 27, 28, 29, 30, 31, 127, 220, 249],
  ],
  [30, [10, 13, 22, 256]],
];

const endOfString = 256;
/** What fills the last byte up is shorter than this. */
const byteBits = 8;

/** By a code with a one before it, so that leading zeros count. */
const byCode = new Map<number, number>();
let [code, length] = [0, 0];
for (const [bits, group] of symbols) {
  code <<= bits - length;
  length = bits;
  for (const symbol of typeof group === "string" ? Buffer.from(group) : group) byCode.set((1 << bits) | code++, symbol);
}

/** What a string stands for. @throws Error when it is none */
export function decodeHuffman(bytes: Uint8Array): Buffer {
  const text: number[] = [];
  let prefix = 1;
  for (const byte of bytes) {
    for (let bit = byteBits - 1; bit >= 0; bit--) {
      prefix = (prefix << 1) | ((byte >> bit) & 1);
      const symbol = byCode.get(prefix);
      if (symbol === endOfString) throw new Error("the end of a string in it");
      if (symbol === undefined) continue;
      text.push(symbol);
      prefix = 1;
    }
  }
  const padding = 31 - Math.clz32(prefix);
  if (padding >= byteBits || prefix !== 2 ** (padding + 1) - 1) throw new Error("a string that does not end with ones");
  return Buffer.from(text);
}

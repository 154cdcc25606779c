/** A picture's copy for those who cannot show SVG, where this machine has a program that makes one. */
import { rmSync } from "node:fs";

const converters: ((from: string, to: string) => string[])[] = [
  (from, to) => ["rsvg-convert", "--zoom=2", "-o", to, from],
  (from, to) => ["inkscape", `--export-filename=${to}`, from],
  (from, to) => ["magick", from, to],
];

/** Writes NAME.png beside NAME.svg. Where that cannot be, there is none. */
export function writePng(svg: string): void {
  const png = svg.replace(/\.svg$/, ".png");
  rmSync(png, { force: true });
  const words = converters
    .map((converter) => converter(svg, png))
    .find(([program = ""]) => Bun.which(program) !== null);
  if (words !== undefined) Bun.spawnSync(words, { stdio: ["ignore", "ignore", "inherit"] });
}

/** The little of SVG that the pictures need; colours that can be read on light and on dark backgrounds. */

const style = `
  text { font: 12px system-ui, sans-serif; fill: #1f2328; }
  .title { font-weight: 600; } .small { font-size: 11px; fill: #59636e; } .end { text-anchor: end; }
  .axis { stroke: #8c959f; stroke-width: 1; }
  .c0 { fill: #8c959f; } .c1 { fill: #3d8b6e; } .c2 { fill: #7aa95c; } .c3 { fill: #b9524a; } .c4 { fill: #3b7dd8; } .c5 { fill: #8a63d2; }
  @media (prefers-color-scheme: dark) { text { fill: #e6edf3; } .small { fill: #9198a1; } }`;

/** A whole picture. @param title what it shows, for those who cannot see it */
export function svg(title: string, width: number, height: number, body: readonly string[]): string {
  const size = `width="${width}" height="${height}" viewBox="0 0 ${width} ${height}"`;
  const parts = [`<title>${escaped(title)}</title>`, `<style>${style}`, "</style>", ...body];
  return `<svg xmlns="http://www.w3.org/2000/svg" ${size}>\n${parts.join("\n")}\n</svg>\n`;
}

/** @param hint is shown when the mouse is over it */
export function rect(x: number, y: number, width: number, height: number, name: string, hint = ""): string {
  const place = `x="${round(x)}" y="${round(y)}" width="${round(Math.max(width, 1))}" height="${height}"`;
  return `<rect ${place} rx="2" class="${name}">${hint && `<title>${escaped(hint)}</title>`}</rect>`;
}

/** Text, whose base line is at y. */
export function text(x: number, y: number, content: string, name = ""): string {
  return `<text x="${round(x)}" y="${round(y)}"${name && ` class="${name}"`}>${escaped(content)}</text>`;
}

/** A vertical line. */
export function vertical(x: number, from: number, to: number): string {
  return `<line x1="${round(x)}" y1="${from}" x2="${round(x)}" y2="${to}" class="axis"/>`;
}

function round(value: number): string {
  return String(Math.round(value * 10) / 10);
}

function escaped(content: string): string {
  return content.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");
}

/** Whether a path is, by its letters, a directory or below it. Both are absolute and plain: without `..` or a slash at the end. */
export function isWithin(path: string, directory: string): boolean {
  return path === directory || directory === "/" || path.startsWith(`${directory}/`);
}

/** `dist/init` is a program: what an import of it gives is its path. */
declare module "*/dist/init" {
  const path: string;
  export default path;
}

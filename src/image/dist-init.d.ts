/** `dist/init` and its like are programs: what an import of one gives is its path. */
declare module "*/dist/init" {
  const path: string;
  export default path;
}

declare module "*/dist/init-foreign" {
  const path: string;
  export default path;
}

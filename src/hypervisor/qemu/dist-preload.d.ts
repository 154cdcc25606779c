/** `dist/preload.so` is a shared object: what an import of it gives is its path. */
declare module "*/dist/preload.so" {
  const path: string;
  export default path;
}

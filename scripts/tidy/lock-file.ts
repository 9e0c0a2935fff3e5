import type { Fault, TextFile } from "./source-file.ts";

/** A package of another platform that some locked package offers as an optional dependency. */
interface MissingPackage {
  readonly name: string;
  readonly version: string;
  readonly isDev: boolean;
}

const SYSTEMS = new Set(["aix", "android", "darwin", "freebsd", "linux", "netbsd", "openbsd", "openharmony", "win32"]);
const PROCESSORS = new Set(["arm", "arm64", "ia32", "loong64", "ppc64", "riscv64", "s390x", "x64"]);

/**
 * Reports optional packages that the lock file does not list. A registry that carries only one platform's packages
 * makes npm leave the others out, and `npm ci` then fails on every machine.
 */
export function checkLockFile(file: TextFile): Fault[] {
  return missingPackages(packagesOf(JSON.parse(file.text))).map(({ name }) => ({
    path: file.path,
    line: 1,
    message: `${name} is missing, so npm ci fails: run npm run complete-lock`,
  }));
}

/** The lock file's text with an entry for each missing package: its platform is read from its name. */
export function completeLockFile(text: string): string {
  const lock: unknown = JSON.parse(text);
  const packages = packagesOf(lock);
  const added = missingPackages(packages).map(({ name, version, isDev }) => {
    const words = name.split(/[/-]/);
    const entry = {
      version,
      cpu: words.filter((word) => PROCESSORS.has(word)),
      ...(isDev ? { dev: true } : {}),
      optional: true,
      os: words.filter((word) => SYSTEMS.has(word)),
    };
    return [`node_modules/${name}`, entry] as const;
  });
  const all = [...Object.entries(packages), ...added].sort(([left], [right]) => (left < right ? -1 : 1));
  return `${JSON.stringify({ ...asRecord(lock), packages: Object.fromEntries(all) }, undefined, 2)}\n`;
}

function missingPackages(packages: Readonly<Record<string, unknown>>): MissingPackage[] {
  const missing = Object.entries(packages).flatMap(([path, entry]) =>
    Object.entries(asRecord(asRecord(entry)["optionalDependencies"]))
      .filter(([name]) => !(`node_modules/${name}` in packages) && !(`${path}/node_modules/${name}` in packages))
      .map(([name, version]) => ({ name, version: String(version), isDev: asRecord(entry)["dev"] === true })),
  );
  return [...new Map(missing.map((one) => [one.name, one])).values()];
}

function packagesOf(lock: unknown): Readonly<Record<string, unknown>> {
  return asRecord(asRecord(lock)["packages"]);
}

function asRecord(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null ? Object.fromEntries(Object.entries(value)) : {};
}

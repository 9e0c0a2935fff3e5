import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";

const NEW_KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"] as const;

/** An authority with which test certificates are signed; all files are PEM. */
export class TestAuthority {
  readonly certificate: string;
  readonly #folder: string;
  readonly #name: string;

  constructor(folder: string, name: string) {
    this.#folder = folder;
    this.#name = name;
    this.certificate = this.#path("pem");
    const subject = ["-subj", `/O=${name}`];
    openssl([
      "req",
      "-x509",
      ...NEW_KEY,
      "-days",
      "2",
      ...subject,
      "-keyout",
      this.#path("key"),
      "-out",
      this.certificate,
    ]);
  }

  /** Signs a certificate for `host` (an IP address), or for a client when there is none. `subject` is as openssl takes it. */
  sign(name: string, subject: string, address?: string): { readonly certificate: string; readonly key: string } {
    const base = join(this.#folder, name);
    const [certificate, key, request] = [`${base}.pem`, `${base}.key`, `${base}.csr`];
    const usage = address === undefined ? "clientAuth" : "serverAuth,clientAuth";
    const names = address === undefined ? "" : `\nsubjectAltName=IP:${address}`;
    writeFileSync(`${base}.ext`, `extendedKeyUsage=${usage}${names}\n`);
    openssl(["req", ...NEW_KEY, "-subj", subject, "-keyout", key, "-out", request]);
    const signer = ["-CA", this.certificate, "-CAkey", this.#path("key"), "-CAcreateserial"];
    openssl(["x509", "-req", "-in", request, ...signer, "-days", "2", "-extfile", `${base}.ext`, "-out", certificate]);
    return { certificate, key };
  }

  #path(extension: string): string {
    return join(this.#folder, `${this.#name}-authority.${extension}`);
  }
}

function openssl(parameters: readonly string[]): void {
  execFileSync("openssl", parameters, { stdio: ["ignore", "ignore", "pipe"] });
}

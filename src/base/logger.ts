/** What is told to the operator. Values go into `fields`, so that lines stay machine-readable. */
export interface Logger {
  info(message: string, fields?: Readonly<Record<string, unknown>>): void;
  warn(message: string, fields?: Readonly<Record<string, unknown>>): void;
  error(message: string, fields?: Readonly<Record<string, unknown>>): void;
}

/** Says nothing: for tests, and for programs whose output is for a person. */
export const silentLogger: Logger = { info: () => {}, warn: () => {}, error: () => {} };

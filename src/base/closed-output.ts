/**
 * Ends the program quietly and well when whoever reads its standard output has seen enough (`… | head`). To be called once, at
 * the start of a program.
 */
export function endWhenOutputCloses(): void {
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "EPIPE") process.exit(0);
    throw error;
  });
}

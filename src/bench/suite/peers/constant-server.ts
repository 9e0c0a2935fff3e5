/**
 * The least that `node:http` can do: every request gets the same answer. What P5 is measured against, in a process of its
 * own. Started with its port and the answer's size in bytes.
 */
import { createServer } from "node:http";
import { HOST } from "../cores.ts";

const [port, bytes] = process.argv.slice(2).map(Number);
const body = Buffer.alloc(bytes ?? 0, "x");
createServer((_request, response) => response.end(body)).listen(port, HOST);

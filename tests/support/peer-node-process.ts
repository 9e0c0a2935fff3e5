/**
 * A node that has nothing but its network, in a process of its own, to be killed or stopped by a test. Its arguments are
 * its name, host, port, and `name=address` of the nodes it knows. It prints its port once it listens. It echoes
 * requests, but keeps those that begin with "keep".
 */
import { PeerNode, type AddressBook } from "./peer-node.ts";

const [name = "", host = "", port = "0", ...others] = process.argv.slice(2);
const book: AddressBook = new Map();
for (const other of others) {
  const [node = "", address = ""] = other.split("=");
  book.set(node, address);
}
const node = new PeerNode(name, book, { host, port: Number(port) });
node.onRequestBody = (body, respond) => {
  if (!body.subarray(0, 4).equals(Buffer.from("keep"))) respond(body);
};
await node.start();
process.stdout.write(`${node.port}\n`);
process.on("disconnect", () => process.exit(0));

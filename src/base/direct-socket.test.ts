import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, createServer, type Server, Socket } from "node:net";
import { type TestContext, test } from "node:test";
import { directSocket } from "./direct-socket.ts";

interface Pair {
  readonly server: Server;
  readonly client: Socket;
  readonly served: Socket;
}

async function open(t: TestContext): Promise<Pair> {
  const server = createServer({ allowHalfOpen: true });
  const accepted = Promise.withResolvers<Socket>();
  server.once("connection", (socket) => accepted.resolve(socket));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  const client = connect(typeof address === "object" && address !== null ? address.port : 0, "127.0.0.1");
  const socket = await accepted.promise;
  const served = directSocket(socket);
  assert.notEqual(served, socket);
  served.on("error", () => served.destroy());
  t.after(() => {
    client.destroy();
    served.destroy();
    server.close();
  });
  return { server, client, served };
}

/** Gathers what is emitted until `length` bytes are there. */
async function gather(socket: Socket, length: number): Promise<string> {
  let text = "";
  const { promise, resolve } = Promise.withResolvers<void>();
  const take = (chunk: Buffer): void => {
    text += chunk.toString("latin1");
    if (text.length >= length) resolve();
  };
  socket.on("data", take);
  await promise;
  socket.off("data", take);
  return text;
}

async function settle(): Promise<void> {
  await new Promise((resolve) => {
    setTimeout(resolve, 50);
  });
}

test("every byte arrives, in its order, whatever reads later bytes into the buffer", async (t) => {
  const { client, served } = await open(t);
  const bytes = Buffer.from(Array.from({ length: 300_000 }, (_, index) => index % 251));
  client.write(bytes);
  const chunks: Buffer[] = [];
  for await (const chunk of served) {
    assert.ok(Buffer.isBuffer(chunk));
    chunks.push(chunk);
    if (chunks.reduce((sum, one) => sum + one.length, 0) >= bytes.length) break;
  }
  assert.ok(Buffer.concat(chunks).equals(bytes));
});

test("what arrives while nobody listens, or while it is paused, is kept", async (t) => {
  const { client, served } = await open(t);
  client.write("early");
  await settle();
  assert.equal(await gather(served, 5), "early");
  served.pause();
  client.write("paused");
  await settle();
  const text = gather(served, 6);
  served.resume();
  assert.equal(await text, "paused");
});

test("what is put back comes before what arrives later, and the end after both", async (t) => {
  const { client, served } = await open(t);
  const events: string[] = [];
  served.on("end", () => events.push("end"));
  served.once("data", (chunk: Buffer) => {
    served.pause();
    served.unshift(chunk.subarray(3));
    client.end("later");
  });
  client.write("onetwo");
  await settle();
  assert.equal(events.length, 0);
  served.on("data", (chunk: Buffer) => events.push(chunk.toString("latin1")));
  served.resume();
  await once(served, "end");
  assert.equal(events.join(""), "twolaterend");
  served.end("answer");
  assert.equal(await gather(client, 6), "answer");
});

test("the server counts it as its own: it closes when the socket is closed, not before", async (t) => {
  const { server, served } = await open(t);
  const counted = Promise.withResolvers<number>();
  server.getConnections((_error, count) => counted.resolve(count));
  assert.equal(await counted.promise, 1);
  let isClosed = false;
  server.close(() => (isClosed = true));
  await settle();
  assert.equal(isClosed, false);
  served.destroy();
  await once(served, "close");
  await settle();
  assert.equal(isClosed, true);
});

test("a socket that cannot be moved over is used as it is", () => {
  const socket = new Socket();
  assert.ok(directSocket(socket) === socket);
});

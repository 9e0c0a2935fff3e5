import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type Socket } from "node:net";
import { test } from "node:test";
import { RespConnection } from "./resp-connection.ts";

test("replies that arrive in pieces go to their commands in order, and an error to its own only", async (context) => {
  const server = createServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  context.after(() => server.close());
  const address = server.address();
  assert.ok(typeof address === "object" && address !== null);
  const accepted = once(server, "connection");
  const connection = await RespConnection.open("127.0.0.1", address.port);
  const [socket] = (await accepted) as [Socket];
  const replies = Promise.allSettled([
    connection.ask("A"),
    connection.ask("B"),
    connection.ask("C"),
    connection.ask("D"),
  ]);
  for (const piece of ["+O", "K\r", "\n-ERR no\r\n$5\r\nab", "\r\nc\r\n$-1", "\r\n"]) {
    socket.write(piece);
    await new Promise((resolve) => {
      setTimeout(resolve, 5);
    });
  }
  const [first, second, third, fourth] = await replies;
  assert.deepEqual(first, { status: "fulfilled", value: "OK" });
  assert.equal(second.status === "rejected" && String(second.reason), "Error: ERR no");
  assert.deepEqual(third, { status: "fulfilled", value: "ab\r\nc" });
  assert.deepEqual(fourth, { status: "fulfilled", value: "" });
  const last = connection.ask("E");
  socket.end();
  await assert.rejects(last, /closed/);
  await assert.rejects(connection.ask("F"), /closed/);
});

import assert from "node:assert/strict";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { test, type TestContext } from "node:test";
import { runClosedLoop } from "./closed-loop.ts";
import { HttpConnection, renderRequest } from "./http-connection.ts";

const REQUEST: Buffer = renderRequest({ method: "GET", target: "/", host: "test" });

test("an answer is the same however its bytes are cut", async (t) => {
  const answers = [
    ["HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", 200, "hello"],
    ["HTTP/1.1 404 Not Found\r\ncontent-length:0\r\n\r\n", 404, ""],
    ["HTTP/1.1 204 No Content\r\n\r\n", 204, ""],
    ["HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n", 200, "2\r\nhi\r\n0\r\n\r\n"],
  ] as const;
  for (const [bytes, status, body] of answers) {
    for (let cut = 1; cut < bytes.length; cut++) {
      const connection = await connectTo(t, (socket) => {
        socket.write(bytes.slice(0, cut));
        setImmediate(() => socket.write(bytes.slice(cut)));
      });
      const answer = await new Promise<string>((resolve) => {
        connection.send(REQUEST, (got) => resolve(`${got.status} ${got.body.toString()}`));
      });
      connection.close();
      assert.equal(answer, `${status} ${body}`, `cut at ${cut}`);
    }
  }
});

test("a loop counts answers, wrong answers and broken connections apart, and goes on after each", async (t) => {
  let count = 0;
  const connection = await connectTo(t, (socket) => {
    count += 1;
    if (count === 2) socket.destroy();
    else socket.write(`HTTP/1.1 ${count === 3 ? 503 : 200} X\r\nContent-Length: 0\r\n\r\n`);
  });
  let left = 5;
  const result = await runClosedLoop({
    connection,
    next: () => (left-- > 0 ? REQUEST : null),
    judge: ({ status }) => (status === 200 ? null : `status ${status}`),
    onAnswer: () => {},
  });
  connection.close();
  assert.deepEqual([result.answered, result.failed, result.firstFailure], [3, 2, "the connection failed"]);
  assert.equal(result.latencies.summary().count, 3);
});

async function connectTo(t: TestContext, onRequest: (socket: Socket) => void): Promise<HttpConnection> {
  const server = createServer((socket) => {
    socket.setNoDelay(true);
    socket.on("error", () => {});
    socket.on("data", () => onRequest(socket));
  });
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  t.after(() => server.close());
  return new HttpConnection("127.0.0.1", (server.address() as AddressInfo).port);
}

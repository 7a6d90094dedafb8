// node ws.js URL: prints the messages of a WebSocket, and on standard error its extensions, the
// close code and the reason.
const WebSocket = require("ws");

const socket = new WebSocket(process.argv[2]);
socket.on("open", () => console.error(socket.extensions));
socket.on("message", (data) => console.log(data.toString()));
socket.on("close", (code, reason) => console.error(`${code} ${reason}`));

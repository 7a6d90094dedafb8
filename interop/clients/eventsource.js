// node eventsource.js URL: prints the events of a stream as JSON, a line each, until the tap ends.
const { EventSource } = require("eventsource");

const source = new EventSource(process.argv[2]);
for (const type of ["message", "stats", "end"]) {
  source.addEventListener(type, (event) => console.log(JSON.stringify([type, event.data])));
}
// An EventSource connects again when a stream ends. This one has had what it asked for.
source.addEventListener("end", () => source.close());
source.addEventListener("error", (error) => console.error(error.message));

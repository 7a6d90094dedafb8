// node fetch.js URL: prints the lines of a stream as they come, and on standard error its type.
(async () => {
  const response = await fetch(process.argv[2]);
  console.error(`${response.status} ${response.headers.get("content-type")}`);
  for await (const chunk of response.body) process.stdout.write(chunk);
})();

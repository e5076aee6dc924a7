// Validates an AsyncAPI document, the Avro schemas in it included: `node asyncapi.cjs FILE`, with NODE_PATH at the packages.
const fs = require("node:fs");
const path = require("node:path");
const { fromFile, Parser } = require("@asyncapi/parser");
const { AvroSchemaParser } = require("@asyncapi/avro-schema-parser");

const file = path.resolve(process.argv[2]);
const parser = new Parser();
parser.registerSchemaParser(AvroSchemaParser());

fromFile(parser, file)
  .parse()
  .then(({ document, diagnostics }) => {
    // 0 is an error, 1 a warning; below that are hints.
    const found = diagnostics.filter((it) => it.severity < 2);
    for (const it of found) console.error(`${["error", "warning"][it.severity]} ${it.path.join(".")}: ${it.message}`);
    if (!document || found.length > 0) process.exit(1);
    for (const channel of document.channels().all()) console.log(channel.address());
  });

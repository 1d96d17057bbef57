// Sends the message on standard input, octet by octet, through the relay: node send.js '{"port": …}' < message
import { readFileSync } from "node:fs";
import { createTransport } from "nodemailer";

const job = JSON.parse(process.argv[2]);
const transport = createTransport({
  host: "localhost",
  port: job.port,
  secure: job.secure,
  requireTLS: !job.secure,
  auth: { user: job.login, pass: job.password },
  tls: { ca: [readFileSync(job.ca)] },
});
const answer = await transport.sendMail({
  envelope: { from: job.sender, to: job.recipients },
  raw: readFileSync(0),
});
process.stdout.write(answer.response + "\n");
transport.close();

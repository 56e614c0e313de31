// An SMSC on npm's `smpp`, for tests against a peer that we did not write.
//
//   node smsc.mjs '{"system_id": "scrutineer", "password": "secret", "window": 50, "receipts": true}'
//
// Standard input, a JSON object a line:
//   {"deliver": [{"id": 1, "source": "...", "destination": "...", "text": "..." | "hex": "...",
//                 "payload": "hex", "esm_class": 0, "data_coding": 0, "sar": [9, 2, 1]}, ...]}   queue deliver_sm
//   {"raw": "hex"}         write these bytes to each session as they are
//   {"close": true}        drop each session
//   {"unbind": true}       unbind each session
//   {"submit_status": n}   answer submit_sm with this command_status from now on
//   {"deaf": true}         hear nothing any more on the sessions that are bound: what is acknowledged now
//                          is not seen, and delivered again on the next session
//   {"mute": true}         leave submit_sm without response from now on; {"mute": false} gives those left out
// Its end ends the SMSC.
//
// Standard output is the journal, a JSON object a line: listening, bound, refused, acknowledged,
// rejected, submit, receipt, pdu, closed, error. What stands there as acknowledged has been acknowledged to us.
//
// What is unacknowledged when a session goes is delivered again on the next one, first and with a
// new sequence number, as an SMSC must.

import smpp from 'smpp';
import fs from 'node:fs';
import readline from 'node:readline';

const options = { window: 50, receipts: true, system_id: 'scrutineer', password: 'secret', port: 0, ...JSON.parse(process.argv[2] ?? '{}') };

// Not every write to a pipe is done at once: what the journal says is queued in order, and read in order.
const journal = (event, fields = {}) => process.stdout.write(JSON.stringify({ event, ...fields }) + '\n');

const waiting = [];          // deliveries, the next one last taken from the front by index
let next = 0;                // index into waiting
const again = [];            // deliveries to repeat before anything else
const bound = new Set();     // sessions
let submitStatus = 0;
let mute = false;
const unanswered = [];       // responses left out while mute
let ids = 0;

const bytes = (m) => (m.hex !== undefined ? Buffer.from(m.hex, 'hex') : smpp.encodings.ASCII.encode(m.text));

function take() {
    if (again.length > 0) return again.shift();
    return next < waiting.length ? waiting[next++] : undefined;
}

// Delivers while the session's window has room.
function pump(session) {
    while (bound.has(session) && session.inFlight.size < options.window) {
        const message = take();
        if (message === undefined) return;
        const pdu = new smpp.PDU('deliver_sm', {
            source_addr_ton: message.source_ton ?? 1,
            source_addr_npi: 1,
            source_addr: message.source,
            destination_addr: message.destination,
            esm_class: message.esm_class ?? 0,
            data_coding: message.data_coding ?? 0,
            short_message: bytes(message),
            ...(message.payload && { message_payload: Buffer.from(message.payload, 'hex') }),
            ...(message.sar && {
                sar_msg_ref_num: message.sar[0], sar_total_segments: message.sar[1], sar_segment_seqnum: message.sar[2],
            }),
        });
        const sent = session.send(pdu, (response) => {
            session.inFlight.delete(message);
            if (response.command_status === 0) {
                journal(message.receipt ? 'receipt' : 'acknowledged', { id: message.id });
            } else {
                journal('rejected', { id: message.id, status: response.command_status });
                again.push(message);
            }
            pump(session);
        });
        if (!sent) {
            again.unshift(message);
            return;
        }
        session.inFlight.add(message);
    }
}

function pumpAll() {
    for (const session of bound) pump(session);
}

function gone(session) {
    if (session.isGone) return;
    session.isGone = true;
    bound.delete(session);
    // In the order in which they were sent, before whatever waits.
    again.unshift(...session.inFlight);
    journal('closed', { unacknowledged: session.inFlight.size });
    session.inFlight.clear();
    pumpAll();
}

function receiptFor(submit, id) {
    const now = new Date().toISOString().replace(/\D/g, '').slice(2, 12);
    return {
        id: `receipt ${id}`,
        receipt: true,
        source: submit.destination_addr,
        destination: submit.source_addr,
        esm_class: 4,
        data_coding: 0,
        text: `id:${id} sub:001 dlvrd:001 submit date:${now} done date:${now} stat:DELIVRD err:000 text:`,
    };
}

// TLS: {"tls": {"key": file, "cert": file, "ca": file}}; with `ca` clients must show a certificate of it.
const files = Object.entries(options.tls ?? {}).map(([name, file]) => [name, fs.readFileSync(file)]);
const secure = { ...Object.fromEntries(files), ...(options.tls?.ca && { requestCert: true, rejectUnauthorized: true }) };

const server = smpp.createServer(secure, (session) => {
    session.inFlight = new Set();
    session.socket.setNoDelay(true);
    session.on('error', (error) => {
        journal('error', { error: String(error.message ?? error) });
        session.destroy();
    });
    session.on('close', () => gone(session));
    const bind = (pdu) => {
        if (pdu.system_id !== options.system_id || pdu.password !== options.password) {
            journal('refused', { system_id: pdu.system_id });
            session.send(pdu.response({ command_status: smpp.ESME_RINVPASWD }), () => session.close());
            return;
        }
        session.send(pdu.response({ system_id: 'peer' }));
        bound.add(session);
        journal('bound', { command: pdu.command });
        pump(session);
    };
    session.on('bind_transceiver', bind);
    session.on('bind_receiver', bind);
    session.on('bind_transmitter', bind);
    session.on('enquire_link', (pdu) => session.send(pdu.response()));
    session.on('unbind', (pdu) => {
        session.send(pdu.response(), () => session.close());
    });
    session.on('generic_nack', (pdu) => journal('pdu', { command: pdu.command, status: pdu.command_status, sequence: pdu.sequence_number }));
    session.on('submit_sm', (pdu) => {
        if (submitStatus !== 0) {
            journal('refused_submit', { destination: pdu.destination_addr, status: submitStatus });
            session.send(pdu.response({ command_status: submitStatus }));
            return;
        }
        const id = String(++ids);
        const body = pdu.short_message ?? {};
        const udh = body.udh?.length ? Buffer.concat(body.udh).toString('hex') : undefined;
        journal('submit', {
            id,
            source: pdu.source_addr,
            destination: pdu.destination_addr,
            text: Buffer.isBuffer(body.message) ? body.message.toString('hex') : body.message,
            data_coding: pdu.data_coding,
            esm_class: pdu.esm_class,
            registered_delivery: pdu.registered_delivery,
            udh,
        });
        if (mute) unanswered.push([session, pdu.response({ message_id: id })]);
        else session.send(pdu.response({ message_id: id }));
        if (options.receipts && (pdu.registered_delivery & 1)) {
            waiting.push(receiptFor(pdu, id));
            pumpAll();
        }
    });
});

server.on('tlsClientError', (error) => journal('tls_error', { error: String(error.message ?? error) }));
server.listen(options.port, '127.0.0.1', () => journal('listening', { port: server.address().port }));

const commands = readline.createInterface({ input: process.stdin });
commands.on('line', (line) => {
    const command = JSON.parse(line);
    if (command.deliver) {
        for (const message of command.deliver) waiting.push(message);
        pumpAll();
    }
    if (command.raw) for (const session of bound) session.socket.write(Buffer.from(command.raw, 'hex'));
    if (command.submit_status !== undefined) submitStatus = command.submit_status;
    if (command.deaf) for (const session of bound) session.pause();
    if (command.mute !== undefined) {
        mute = command.mute;
        if (!mute) for (const [session, response] of unanswered.splice(0)) if (bound.has(session)) session.send(response);
    }
    if (command.close) for (const session of [...bound]) session.destroy();
    if (command.unbind) for (const session of bound) session.unbind();
});
commands.on('close', () => process.exit(0));

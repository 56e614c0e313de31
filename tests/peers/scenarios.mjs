// An SMSC on npm's `smpp` that behaves in each of the ways of the table `scenarios` below, one a port.
//
//   node scenarios.mjs NAME...
//
// Standard output is the journal, a JSON object a line: {"ports": {name: port}} first, then
// {"name": ..., "heard": command, "status": n, "sequence": n} for each PDU of the gateway, as `smpp` reads it,
// {"name": ..., "event": "connected" | "closed"} and {"name": ..., "error": ...}. The end of standard input
// ends it.

import smpp from 'smpp';

const journal = (name, fields) => process.stdout.write(JSON.stringify({ name, ...fields }) + '\n');
const later = (ms, what) => setTimeout(what, ms);

const deliver = (session, text, fields = {}) => session.deliver_sm({
    source_addr: '355680000001', source_addr_ton: 1, source_addr_npi: 1, destination_addr: '12345',
    short_message: Buffer.from(text), ...fields,
});

// A PDU by its bytes, for what `smpp` would never write.
const raw = (session, id, status, sequence, body = '') => {
    const bytes = Buffer.concat([Buffer.alloc(16), Buffer.from(body, 'hex')]);
    [bytes.length, id, status, sequence].forEach((n, at) => bytes.writeUInt32BE(n >>> 0, at * 4));
    session.socket.write(bytes);
};
const hex = (text) => Buffer.from(text).toString('hex');
// The body of a deliver_sm up to data_coding.
const head = (source, service = '') => `${hex(service)}00` + '0101' + source + '0001' + hex('12345') + '00' + '000000' + '0000' + '0000' + '0000';
const phone = hex('355680000001') + '00';

// bind(session, pdu, n): answers the nth bind, true when it did; bound(session); submit(session, pdu, n);
// enquire(session, pdu): as it is named. What is left out is done as it should be.
const scenarios = {
    'plain': { bound: (s) => deliver(s, 'PS 1') },
    'many': { bound: (s) => { for (let n = 0; n < 200; n++) deliver(s, `PS ${n}`); } },
    'empty': { bound: (s) => deliver(s, '') },
    'payload': { bound: (s) => deliver(s, '', { message_payload: Buffer.alloc(65535, 'x') }) },
    'segments': {
        bound: (s) => {
            deliver(s, Buffer.concat([Buffer.from('06080401020202', 'hex'), Buffer.from('two')]), { esm_class: 0x40 });
            deliver(s, Buffer.concat([Buffer.from('06080401020201', 'hex'), Buffer.from('one')]), { esm_class: 0x40 });
            deliver(s, 'sar', { sar_msg_ref_num: 7, sar_total_segments: 2, sar_segment_seqnum: 1 });
        },
    },
    'data-sm': {
        bound: (s) => s.data_sm({ source_addr: '355680000001', destination_addr: '12345', message_payload: Buffer.from('PS 1') }),
    },
    'receipt': {
        bound: (s) => {
            deliver(s, 'id:1 sub:001 dlvrd:001 stat:DELIVRD err:000 text:');
            deliver(s, 'id:1 sub:001 dlvrd:001 stat:DELIVRD err:000 text:', { esm_class: 4, receipted_message_id: '1', message_state: 2 });
            s.data_sm({ source_addr: '355680000001', destination_addr: '12345', esm_class: 4, receipted_message_id: '2', message_state: 2 });
        },
    },
    'early-receipt': {
        submit: (s, pdu) => {
            deliver(s, 'id:77 stat:DELIVRD', { esm_class: 4, receipted_message_id: '77', message_state: 2 });
            later(300, () => s.send(pdu.response({ message_id: '77' })));
        },
    },
    'before-bound': {
        bind: (s, pdu) => {
            raw(s, 5, 0, 900, head(phone) + '02' + hex('PS'));
            later(300, () => s.send(pdu.response({ system_id: 'peer' })));
            return true;
        },
    },
    'any-sequence': {
        bound: (s) => [0, 0x80000000, 0xffffffff].forEach((n) => raw(s, 5, 0, n, head(phone) + '02' + hex('PS'))),
    },
    'out-of-order': {
        held: [],
        submit(s, pdu, n) {
            this.held.unshift(pdu.response({ message_id: String(n) }));
            if (this.held.length === 3) this.held.splice(0).forEach((response) => s.send(response));
        },
    },
    'error-without-body': { submit: (s, pdu) => raw(s, 0x80000004, 0x0b, pdu.sequence_number) },
    'empty-id': { submit: (s, pdu) => raw(s, 0x80000004, 0, pdu.sequence_number, '00') },
    'nack': { submit: (s, pdu) => raw(s, 0x80000000, 3, pdu.sequence_number) },
    'nack-of-nothing': { submit: (s) => raw(s, 0x80000000, 3, 0) },
    'throttled': {
        submit: (s, pdu, n) => s.send(pdu.response(n <= 2 ? { command_status: n === 1 ? 0x58 : 0x14 } : { message_id: String(n) })),
    },
    'no-response': { submit: () => {} },
    'late-response': { submit: (s, pdu) => later(3500, () => s.send(pdu.response({ message_id: 'late' }))) },
    'refused': { submit: (s, pdu) => s.send(pdu.response({ command_status: 0x0b })) },
    'drop-on-submit': { submit: (s, pdu, n) => (n === 1 ? s.destroy() : s.send(pdu.response({ message_id: String(n) }))) },
    'unbind': { bound: (s, n) => { if (n === 1) { deliver(s, 'PS 1'); s.unbind(); } } },
    'mute': { enquire: () => {} },
    'already-bound': {
        bind: (s, pdu, n) => {
            if (n > 2) return false;
            s.send(pdu.response({ command_status: 5 }), () => s.close());
            return true;
        },
    },
    'wrong-password': {
        bind: (s, pdu) => {
            s.send(pdu.response({ command_status: 0x0e }), () => s.close());
            return true;
        },
    },
    'no-bind-response': { bind: () => true },
    'unknown-command': {
        bound: (s) => {
            raw(s, 0x99, 0, 41, '00');
            raw(s, 0x80000099, 0, 42, '00');
            raw(s, 0x80000103, 0, 43);
            later(200, () => deliver(s, 'PS 1'));
        },
    },
    'short-length': { bound: (s, n) => { if (n === 1) s.socket.write(Buffer.from('0000000f0000001500000000000000', 'hex')); } },
    'long-length': { bound: (s, n) => { if (n === 1) s.socket.write(Buffer.from('7fffffff000000150000000000000009', 'hex')); } },
    'half-pdu': { enquire: () => {}, bound: (s, n) => { if (n === 1) s.socket.write(Buffer.from('0000004000000005', 'hex')); } },
    'bad-bodies': {
        bound: (s) => {
            raw(s, 5, 0, 51, head(phone) + 'ff' + hex('short'));
            raw(s, 5, 0, 52, '00');
            raw(s, 0x103, 0, 53, '0001');
            later(200, () => deliver(s, 'PS 1'));
        },
    },
    'tolerated': {
        bound: (s) => {
            // Trailing bytes; a TLV cut short; a vendor's TLV; a long address; a field filled without its NUL.
            raw(s, 5, 0, 61, head(phone) + '01' + hex('a') + '000000');
            raw(s, 5, 0, 62, head(phone) + '01' + hex('b') + '04240040' + hex('cut'));
            raw(s, 5, 0, 63, head(phone) + '01' + hex('c') + '1500000401020304' + 'fffe0000');
            raw(s, 5, 0, 64, head(hex('3556800000013556800000013556') + '00') + '01' + hex('d'));
            raw(s, 5, 0, 65, head(hex('355680000001355680000')) + '01' + hex('e'));
            raw(s, 5, 0, 66, head(phone, 'SIXTEE') + '01' + hex('f'));
        },
    },
    'alert': { bound: (s) => raw(s, 0x102, 0, 71, '0101' + phone + '0001' + hex('12345') + '00') },
    'outbind': { connected: (s) => raw(s, 0x0b, 0, 81, hex('peer') + '00' + hex('secret') + '00') },
};

function serve(name, rule) {
    const counts = { bind: 0, bound: 0, submit: 0 };
    const server = smpp.createServer((session) => {
        session.on('error', (error) => {
            journal(name, { error: String(error.message ?? error) });
            session.destroy();
        });
        session.on('close', () => journal(name, { event: 'closed' }));
        session.on('pdu', (pdu) => journal(name, { heard: pdu.command, status: pdu.command_status, sequence: pdu.sequence_number }));
        journal(name, { event: 'connected' });
        rule.connected?.(session);
        for (const kind of ['bind_transceiver', 'bind_receiver', 'bind_transmitter']) {
            session.on(kind, (pdu) => {
                if (rule.bind?.(session, pdu, ++counts.bind)) return;
                session.send(pdu.response({ system_id: 'peer' }));
                rule.bound?.(session, ++counts.bound);
            });
        }
        session.on('enquire_link', (pdu) => (rule.enquire ? rule.enquire(session, pdu) : session.send(pdu.response())));
        session.on('unbind', (pdu) => session.send(pdu.response(), () => session.close()));
        session.on('submit_sm', (pdu) => {
            counts.submit++;
            if (rule.submit) rule.submit(session, pdu, counts.submit);
            else session.send(pdu.response({ message_id: String(counts.submit) }));
        });
    });
    return new Promise((listening) => server.listen(0, '127.0.0.1', () => listening([name, server.address().port])));
}

const ports = await Promise.all(process.argv.slice(2).map((name) => serve(name, scenarios[name])));
process.stdout.write(JSON.stringify({ ports: Object.fromEntries(ports) }) + '\n');
process.stdin.on('end', () => process.exit(0)).resume();

"""A load SMSC on PyPI's `smpp34`: delivers COUNT texts, WINDOW at a time, to whom binds, and tells how that went.

    python load.py PORT COUNT WINDOW

Standard output: {"acknowledged": n, "refused": n, "submits": n, "seconds": s} once all is answered; it goes
on taking submits until the end of standard input.
"""

import asyncio
import json
import sys
import time

import smpp34


async def main():
    port, count, window = (int(text) for text in sys.argv[1:4])
    server = smpp34.Server(host="127.0.0.1", port=port, system_id="load")
    await server.start()
    print(json.dumps({"listening": port}), flush=True)
    tally = {"acknowledged": 0, "refused": 0, "submits": 0}
    numbers = iter(range(count))

    async def deliver(esme):
        for number in numbers:
            answer = await esme.deliver_sm(
                source_addr=f"35568{number % 5000:07}", destination_addr="12345", source_addr_ton=1,
                source_addr_npi=1, short_message=f"PS {number} AA1 BA2 CA135".encode(),
            )
            tally["acknowledged" if answer.is_success else "refused"] += 1

    async def all_of_them(esme):
        begun = time.monotonic()
        await asyncio.gather(*(deliver(esme) for _ in range(window)))
        print(json.dumps({**tally, "seconds": time.monotonic() - begun}), flush=True)

    async def serve():
        load = None
        while True:
            event = await server.next()
            if isinstance(event, smpp34.Esme) and load is None:
                load = asyncio.create_task(all_of_them(event))
            elif isinstance(event, smpp34.SubmitSmEvent):
                tally["submits"] += 1
                event.accept(message_id=str(tally["submits"]))

    serving = asyncio.create_task(serve())
    await asyncio.to_thread(sys.stdin.read)
    serving.cancel()


asyncio.run(main())

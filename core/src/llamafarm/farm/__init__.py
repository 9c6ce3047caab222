"""A project that is open for use from Python: what the command line, the API and plugin commands stand on.

    async with llamafarm.open() as farm:
        reply = await farm.ask("chat", {"messages": [{"role": "user", "content": "What is LlamaFarm?"}]})
        print(await reply.text())

A script that has no event loop writes `with llamafarm.open() as farm:` and leaves `await` out.
"""

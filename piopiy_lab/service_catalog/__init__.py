"""pipecat's services by short name: ``stack("deepgram+openai+cartesia")`` and ``stacks()``.

The names, what each needs and where its key comes from are data (``services.toml``, read by
``entries``), which the tests check against pipecat's sources. Importing this package loads neither
pipecat nor a provider; making a stack loads those that it names.
"""

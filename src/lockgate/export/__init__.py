"""Other forms of the rules and of what they judge: for OPA, conftest and Gatekeeper.

One module per form; nothing here decides anything. `lockgate.pipeline` gathers what they write.
"""

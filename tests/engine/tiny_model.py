"""Run by vLLM's own Python: writes a random Llama of two layers, with a tokenizer of bytes and a chat template."""

from __future__ import annotations

import sys

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

pieces = {piece: number for number, piece in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}
pieces |= {"<s>": len(pieces), "</s>": len(pieces) + 1}
bytes_only = Tokenizer(models.BPE(vocab=pieces, merges=[]))
bytes_only.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
bytes_only.decoder = decoders.ByteLevel()
tokenizer = PreTrainedTokenizerFast(tokenizer_object=bytes_only, bos_token="<s>", eos_token="</s>")
tokenizer.chat_template = "{% for m in messages %}{{ m['role'] }}: {{ m['content'] }}\n{% endfor %}assistant:"
tokenizer.save_pretrained(sys.argv[1])

torch.manual_seed(0)
# A head of 32: the CPU build has no attention for smaller ones.
config = LlamaConfig(
    vocab_size=len(pieces),
    hidden_size=128,
    intermediate_size=256,
    num_hidden_layers=2,
    num_attention_heads=4,
    num_key_value_heads=2,
    max_position_embeddings=2048,
    bos_token_id=pieces["<s>"],
    eos_token_id=pieces["</s>"],
)
LlamaForCausalLM(config).to(torch.bfloat16).save_pretrained(sys.argv[1])

"""The network: a BERT encoder that scores spans of a passage, and whether there is an answer at all."""

from pathlib import Path
from typing import NamedTuple

import torch
from torch import nn
from transformers import BertConfig, BertModel


class Scores(NamedTuple):
    """`starts` and `ends` (n, length) hold the logits of the tokens, the first token's for no answer;
    `answerable` (n,) the logit that there is one."""

    starts: torch.Tensor
    ends: torch.Tensor
    answerable: torch.Tensor


class ReaderNetwork(nn.Module):
    def __init__(self, encoder: BertModel) -> None:
        super().__init__()
        size = encoder.config.hidden_size
        self.encoder = encoder
        self.spans = nn.Linear(size, 2)
        self.pooled = nn.Linear(size, size)
        self.answerable = nn.Linear(size, 1)

    def forward(
        self, input_ids: torch.Tensor, attention_mask: torch.Tensor, token_type_ids: torch.Tensor
    ) -> Scores:
        hidden = self.encoder(
            input_ids, attention_mask=attention_mask, token_type_ids=token_type_ids
        ).last_hidden_state
        spans = self.spans(hidden).float()
        # The first token stands for "no answer"; elsewhere only the passage's tokens may be chosen.
        allowed = (token_type_ids * attention_mask).bool()
        allowed[:, 0] = True
        spans = spans.masked_fill(~allowed.unsqueeze(-1), -1e4)
        answerable = self.answerable(torch.tanh(self.pooled(hidden[:, 0]))).float()[:, 0]
        return Scores(spans[..., 0], spans[..., 1], answerable)


def from_sentence_model(folder: Path) -> ReaderNetwork:
    """A network with a sentence model's encoder, and heads that know nothing yet.

    No dropout: a run of few epochs does not overfit, and random numbers are dear on a CPU. Attention in
    plain products: on a CPU the fused one's backward pass took longer than all other products together.
    """
    encoder = BertModel.from_pretrained(
        folder,
        add_pooling_layer=False,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
        attn_implementation="eager",
    )
    return ReaderNetwork(encoder)


def load_network(folder: Path) -> ReaderNetwork:
    """What `reader.py` saved: config.json and reader.pt."""
    encoder = BertModel(BertConfig.from_json_file(folder / "config.json"), add_pooling_layer=False)
    network = ReaderNetwork(encoder)
    network.load_state_dict(torch.load(folder / "reader.pt", weights_only=True)["network"])
    return network.eval()

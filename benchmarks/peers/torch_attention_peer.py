"""The attention model in PyTorch, as its users write it: `nn.LSTM`, packed sequences, batches of similar lengths."""

import numpy as np
import torch
import words
from torch import nn
from torch.nn import functional
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

_BATCH_SIZE, _POOL_BATCHES = 128, 50
_IMPOSSIBLE = -1e9


class AttentionSeq2Seq(nn.Module):
    """A bidirectional encoder and a decoder with global attention, of one LSTM layer each."""

    def __init__(self, source_size, target_size, embedding_dim=128, hidden_dim=256, dropout=0.3):
        super().__init__()
        self.encoder_embedding = nn.Embedding(source_size, embedding_dim)
        self.encoder = nn.LSTM(embedding_dim, hidden_dim, batch_first=True, bidirectional=True)
        self.hidden, self.cell = (nn.Linear(2 * hidden_dim, hidden_dim) for _ in range(2))
        self.decoder_embedding = nn.Embedding(target_size, embedding_dim)
        self.decoder = nn.LSTM(embedding_dim, hidden_dim, batch_first=True)
        self.key, self.value = (nn.Linear(2 * hidden_dim, hidden_dim, bias=False) for _ in range(2))
        self.query = nn.Linear(hidden_dim, hidden_dim)
        self.dense = nn.Linear(hidden_dim, target_size)
        self.dropout = nn.Dropout(dropout)

    def forward(self, source, target):
        """Logits `[batch, length, vocabulary]`, by teacher forcing."""
        states, *memory = self.encode(source)
        return self.decode(target, states, memory)[0]

    def encode(self, source):
        """The decoder's states, and the source's keys, values and padding."""
        embedded, lengths = self.dropout(self.encoder_embedding(source)), (source != words.PADDING).sum(dim=1)
        packed = pack_padded_sequence(embedded, lengths, batch_first=True, enforce_sorted=False)
        outputs, states = self.encoder(packed)
        outputs, _ = pad_packed_sequence(outputs, batch_first=True, total_length=source.shape[1])
        outputs = self.dropout(outputs)
        hidden, cell = (torch.cat([forwards, backwards], dim=1) for forwards, backwards in states)
        states = torch.tanh(self.hidden(hidden))[None], self.cell(cell)[None]
        return states, self.key(outputs), self.value(outputs), source == words.PADDING

    def decode(self, target, states, memory):
        """Logits of some steps, and the states after them."""
        outputs, states = self.decoder(self.dropout(self.decoder_embedding(target)), states)
        return self.read(self.dropout(outputs), *memory), states

    def read(self, outputs, keys, values, padding):
        """Logits of the decoder's outputs, `[batch, length, units]`, after attention."""
        scores = outputs @ keys.transpose(1, 2)
        alignment = scores.masked_fill(padding[:, None], _IMPOSSIBLE).softmax(dim=2)
        return self.dense(self.dropout(torch.tanh(self.query(outputs) + alignment @ values)))

    def answer(self, source, length):
        """Greedy answers, ids `[batch, at most length]`, 0 from the end on."""
        states, *memory = self.encode(source)
        token = torch.full((len(source), 1), words.START)
        ended, ids = torch.zeros(len(source), 1, dtype=torch.bool), []
        for _ in range(length):
            logits, states = self.decode(token, states, memory)
            token = logits.argmax(dim=2).masked_fill(ended, words.PADDING)
            ended |= token == words.PADDING
            ids.append(token)
            if ended.all():
                break
        return torch.cat(ids, dim=1)

    def beam_search(self, source, length, beam_size):
        """The most probable answers that a beam finds, as `answer`; hypotheses that ended stay in it as they are."""
        (states, *memory), batch = self.encode(source), len(source)
        states = tuple(each.repeat_interleave(beam_size, dim=1) for each in states)
        token = torch.full((batch * beam_size, 1), words.START)
        reached = torch.full((batch, beam_size), _IMPOSSIBLE)
        reached[:, 0] = 0
        ended, ids = torch.zeros(batch, beam_size, dtype=torch.bool), torch.zeros(batch, beam_size, 0, dtype=torch.long)
        first = torch.arange(batch)[:, None] * beam_size
        for _ in range(length):
            outputs, states = self.decoder(self.decoder_embedding(token), states)
            logits = self.read(outputs.view(batch, beam_size, -1), *memory)  # The hypotheses in the place of steps.
            size = logits.shape[2]
            only_end = torch.full((size,), _IMPOSSIBLE)
            only_end[words.PADDING] = 0
            of_next = torch.where(ended[:, :, None], only_end, logits.log_softmax(dim=2))
            reached, at = (reached[:, :, None] + of_next).view(batch, -1).topk(beam_size)
            parent, token = at // size, at % size
            ids = torch.cat([ids.gather(1, parent[:, :, None].expand(-1, -1, ids.shape[2])), token[:, :, None]], dim=2)
            ended = ended.gather(1, parent) | (token == words.PADDING)
            if ended.all():
                break
            states = tuple(each[:, (first + parent).view(-1)] for each in states)
            token = token.view(-1, 1)
        return ids[:, 0]


class Words:
    """An attention model and its training; arguments as of seqzoo's side."""

    def __init__(self, everything, training, asked, hidden_dim=256, embedding_dim=128, threads=None, seed=0):
        torch.manual_seed(seed)
        if threads:
            torch.set_num_threads(threads)
        vocabularies = words.Vocabularies.of(everything)
        self.source, self.target = map(torch.from_numpy, vocabularies.encode(training))
        self.lengths = [(each != words.PADDING).sum(dim=1) for each in (self.source, self.target)]
        self.model = AttentionSeq2Seq(*vocabularies.sizes, embedding_dim, hidden_dim)
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=2e-3, eps=1e-7, fused=True)

    def parameters(self):
        """Their number, without the second bias that an `nn.LSTM` has."""
        return sum(each.numel() for name, each in self.model.named_parameters() if "bias_hh" not in name)

    def epoch(self):
        """Trains on all rows once."""
        self.model.train()
        for batch in self._batches():
            source_length, target_length = (int(lengths[batch].max()) for lengths in self.lengths)
            source, answer = self.source[batch, :source_length], self.target[batch, : target_length + 1]
            target = functional.pad(answer[:, :-1], (1, 0), value=words.START)
            ended = (answer == words.PADDING).cumsum(1) - (answer == words.PADDING).long() > 0
            labels = answer.masked_fill(ended, -100)  # After an answer's end nothing counts.
            logits = self.model(source, target)
            loss = functional.cross_entropy(logits.flatten(0, 1), labels.flatten(), label_smoothing=0.1)
            self.optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(self.model.parameters(), 5.0)
            self.optimizer.step()

    def _batches(self):
        """Rows in full batches of similar lengths: pools of a random order are sorted, and cut; in a random order."""
        batches = []
        for pool in torch.randperm(len(self.source)).split(_BATCH_SIZE * _POOL_BATCHES):
            key = self.lengths[0][pool] * self.target.shape[1] + self.lengths[1][pool]
            pool = pool[key.argsort()]
            batches += pool[: len(pool) // _BATCH_SIZE * _BATCH_SIZE].split(_BATCH_SIZE)
        return [batches[at] for at in torch.randperm(len(batches)).tolist()]


class Answers:
    """A model with the weights that seqzoo's side trained."""

    def __init__(self, everything, asked, weights, threads=None):
        if threads:
            torch.set_num_threads(threads)
        self.vocabularies = words.Vocabularies.of(everything)
        self.asked = torch.from_numpy(self.vocabularies.encode(asked)[0])
        named = {name: torch.from_numpy(array.copy()) for name, array in np.load(weights).items()}
        hidden_dim, embedding_dim = named["hidden.weight"].shape[0], named["encoder_embedding.weight"].shape[1]
        self.model = AttentionSeq2Seq(*self.vocabularies.sizes, embedding_dim, hidden_dim).eval()
        self.model.load_state_dict(named)

    @torch.inference_mode()
    def generate(self, batch_size, number, beam_size=1):
        """Answers so many batches of sources, tokens to tokens."""
        for i in range(number):
            start = i * batch_size % max(1, len(self.asked) - batch_size + 1)
            self._answer(self.asked[start : start + batch_size], beam_size)

    @torch.inference_mode()
    def answers(self, beam_size=1):
        """The answers to all sources that are asked, as strings."""
        return self.vocabularies.decode(self._answer(self.asked, beam_size))

    def _answer(self, source, beam_size):
        source = source[:, : int((source != words.PADDING).sum(dim=1).max())]
        length = self.vocabularies.target_length
        return (
            self.model.answer(source, length) if beam_size == 1 else self.model.beam_search(source, length, beam_size)
        )

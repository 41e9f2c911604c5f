"""The same models in PyTorch, as its users write them: `nn.LSTM`, the data as tensors in memory."""

import math

import numpy as np
import rows
import torch
from torch import nn
from torch.nn import functional

_BATCH_SIZE = 128


class PeekySeq2Seq(nn.Module):
    """Encoder and peeky decoder of one LSTM layer each."""

    def __init__(self, hidden_dim=128, embedding_dim=16):
        super().__init__()
        self.encoder_embedding = nn.Embedding(rows.VOCABULARY_SIZE, embedding_dim)
        self.encoder = nn.LSTM(embedding_dim, hidden_dim, batch_first=True)
        self.decoder_embedding = nn.Embedding(rows.VOCABULARY_SIZE, embedding_dim)
        self.decoder = nn.LSTM(hidden_dim + embedding_dim, hidden_dim, batch_first=True)
        self.dense = nn.Linear(2 * hidden_dim, rows.VOCABULARY_SIZE)
        # The recipe's initial weights, Keras': from PyTorch's own the task can take twice as many epochs.
        for layer in (self.encoder, self.decoder):
            nn.init.xavier_uniform_(layer.weight_ih_l0)
            nn.init.orthogonal_(layer.weight_hh_l0)
            for bias, forget in ((layer.bias_ih_l0, 1.0), (layer.bias_hh_l0, 0.0)):
                nn.init.zeros_(bias)
                nn.init.constant_(bias[hidden_dim : 2 * hidden_dim], forget)
        for embedding in (self.encoder_embedding, self.decoder_embedding):
            nn.init.uniform_(embedding.weight, -0.05, 0.05)
        nn.init.xavier_uniform_(self.dense.weight)
        nn.init.zeros_(self.dense.bias)

    def forward(self, source, target):
        """Logits `[batch, length, vocabulary]`, by teacher forcing."""
        _, states = self.encoder(self.encoder_embedding(source))
        return self.decode(target, states[0][-1], states)[0]

    def decode(self, target, context, states):
        """Logits of some steps, and the states after them."""
        repeated = context[:, None].expand(-1, target.shape[1], -1)
        x = torch.cat([repeated, self.decoder_embedding(target)], dim=2)
        outputs, states = self.decoder(x, states)
        return self.dense(torch.cat([repeated, outputs], dim=2)), states


class Sums:
    """A peeky model of sums and its training."""

    def __init__(
        self,
        training,
        test,
        hidden_dim=128,
        embedding_dim=16,
        epochs=None,
        learning_rate=rows.LEARNING_RATE,
        threads=None,
        seed=0,
    ):
        torch.manual_seed(seed)
        if threads:
            torch.set_num_threads(threads)
        self.source, self.target = map(torch.from_numpy, rows.read(training))
        self.test = [torch.from_numpy(each) for each in rows.read(test)]
        self.model = self.forward = PeekySeq2Seq(hidden_dim, embedding_dim)
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=learning_rate, eps=1e-7, fused=True)
        self.schedule = self._schedule(epochs) if epochs else None

    def compile(self):
        """Trains by `torch.compile` from here on."""
        self.forward = torch.compile(self.model)

    def parameters(self):
        """Their number, without the second bias that an `nn.LSTM` has."""
        return sum(each.numel() for name, each in self.model.named_parameters() if "bias_hh" not in name)

    def epoch(self):
        """Trains on all rows once."""
        self.model.train()
        order = torch.randperm(len(self.source))
        for batch in order[: len(order) // _BATCH_SIZE * _BATCH_SIZE].split(_BATCH_SIZE):
            source, answer = self.source[batch], self.target[batch]
            target = functional.pad(answer[:, :-1], (1, 0), value=rows.START)
            logits = self.forward(source, target)
            ended = (answer == 0).cumsum(1) - (answer == 0).long() > 0  # After an answer's end nothing counts.
            labels = answer.masked_fill(ended, -100)
            loss = functional.cross_entropy(logits.flatten(0, 1), labels.flatten(), reduction="sum") / answer.numel()
            self.optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(self.model.parameters(), 5.0)
            self.optimizer.step()
            if self.schedule:
                self.schedule.step()

    def exact_match(self):
        """The share of test rows answered right, greedily."""
        source, target = self.test
        return (self.answer(source) == target).all(dim=1).float().mean().item()

    def answer(self, source):
        """Greedy answers, ids `[batch, target length]`, 0 from the end on."""
        self.model.eval()
        with torch.inference_mode():
            _, states = self.model.encoder(self.model.encoder_embedding(source))
            context = states[0][-1]
            token = torch.full((len(source), 1), rows.START)
            ended, ids = torch.zeros(len(source), 1, dtype=torch.bool), []
            for _ in range(rows.TARGET_LENGTH):
                logits, states = self.model.decode(token, context, states)
                token = logits.argmax(dim=2).masked_fill(ended, 0)
                ended |= token == 0
                ids.append(token)
                if ended.all():
                    break
            answer = torch.cat(ids, dim=1)
            return functional.pad(answer, (0, rows.TARGET_LENGTH - answer.shape[1]))

    def _schedule(self, epochs):
        """The zoo's: a warm-up epoch, then cosine decay to 0."""
        warm_up = len(self.source) // _BATCH_SIZE
        decay = max(1, (epochs - 1) * warm_up)

        def share(step):
            return step / warm_up if step < warm_up else (1 + math.cos(math.pi * (step - warm_up) / decay)) / 2

        return torch.optim.lr_scheduler.LambdaLR(self.optimizer, share)


class Answers(Sums):
    """A peeky model of sums, not trained, that never ends an answer early: they are as long as answers get."""

    def __init__(self, training, test, threads=None):
        super().__init__(training, test, threads=threads)
        with torch.no_grad():
            self.model.dense.bias[0] -= 100

    def generate(self, batch_size, number):
        """Answers so many batches of test sources, tokens to tokens."""
        source = self.test[0]
        for i in range(number):
            start = i * batch_size % max(1, len(source) - batch_size + 1)
            self.answer(source[start : start + batch_size])


class Text(nn.Module):
    """A language model of one LSTM layer and its training."""

    def __init__(self, path, steps, embedding_dim=64, hidden_dim=256, threads=None, seed=0):
        super().__init__()
        torch.manual_seed(seed)
        if threads:
            torch.set_num_threads(threads)
        with open(path, encoding="utf-8") as file:
            text = file.read()
        ids = {character: i for i, character in enumerate(sorted(set(text)))}
        self.ids = torch.from_numpy(np.array([ids[character] for character in text]))
        self.steps = steps
        self.embedding = nn.Embedding(len(ids), embedding_dim)
        self.recurrent = nn.LSTM(embedding_dim, hidden_dim, batch_first=True)
        self.dense = nn.Linear(hidden_dim, len(ids))
        self.optimizer = torch.optim.AdamW(self.parameters(), lr=5e-3, weight_decay=0.0, fused=True)

    def train_steps(self, batch_size=32, length=64):
        """Trains on windows drawn at random."""
        self.train()
        for _ in range(self.steps):
            starts = torch.randint(len(self.ids) - length - 1, (batch_size, 1))
            window = self.ids[starts + torch.arange(length + 1)]
            outputs, _ = self.recurrent(self.embedding(window[:, :-1]))
            loss = functional.cross_entropy(self.dense(outputs).flatten(0, 1), window[:, 1:].flatten())
            self.optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(self.parameters(), 1.0)
            self.optimizer.step()

    def write(self, batch_size, length):
        """Draws texts, tokens to tokens, by the model's own probabilities."""
        self.eval()
        with torch.inference_mode():
            token, states = self.ids[:batch_size, None], None
            for _ in range(length):
                outputs, states = self.recurrent(self.embedding(token), states)
                token = torch.multinomial(self.dense(outputs[:, 0]).softmax(dim=1), 1)

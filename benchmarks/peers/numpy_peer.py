"""The chapter's peeky seq2seq in NumPy: the same equations, its own code, products of all steps made at once.

*Deep Learning from Scratch 2*, sections 6.3 (LSTM), 7.3 and 7.4; trained as section 7.3.4 does.
"""

import numpy as np
import rows

_CLIP = 5.0


class Sums:
    """A peeky model of sums, LSTM cells, the hidden state alone handed over; float32 throughout."""

    def __init__(self, training, test, hidden_dim=128, embedding_dim=16, seed=0):
        self.source, self.target = rows.read(training)
        self.test = rows.read(test)
        self.random = np.random.default_rng(seed)
        size, units, dim = rows.VOCABULARY_SIZE, hidden_dim, embedding_dim

        def normal(*shape, scale=None):
            return (self.random.standard_normal(shape) * (scale or shape[0] ** -0.5)).astype("float32")

        self.weights = {
            "encoder_embedding": normal(size, dim, scale=0.01),
            "encoder_x": normal(dim, 4 * units),
            "encoder_h": normal(units, 4 * units),
            "encoder_b": np.zeros(4 * units, "float32"),
            "decoder_embedding": normal(size, dim, scale=0.01),
            "decoder_x": normal(units + dim, 4 * units),
            "decoder_h": normal(units, 4 * units),
            "decoder_b": np.zeros(4 * units, "float32"),
            "dense": normal(2 * units, size),
            "dense_b": np.zeros(size, "float32"),
        }
        self.moments = {name: (np.zeros_like(each), np.zeros_like(each)) for name, each in self.weights.items()}
        self.steps = 0

    def parameters(self):
        """Their number."""
        return sum(each.size for each in self.weights.values())

    def epoch(self, batch_size=128, learning_rate=1e-3):
        """Trains on all rows once."""
        order = self.random.permutation(len(self.source))
        for start in range(0, len(order) - batch_size + 1, batch_size):
            batch = order[start : start + batch_size]
            self._update(self._gradients(self.source[batch], self.target[batch]), learning_rate)

    def exact_match(self):
        """The share of test rows answered right, greedily."""
        source, target = self.test
        return float((self.answer(source) == target).all(axis=1).mean())

    def answer(self, source):
        """Greedy answers, ids `[batch, target length]`, 0 from the end on."""
        weights, steps = self.weights, rows.TARGET_LENGTH
        h = self._run("encoder", weights["encoder_embedding"][source.T])[0][-1]
        context, states = h, None
        token, ended, ids = np.full(len(source), rows.START), np.zeros(len(source), bool), []
        for _ in range(steps):
            x = np.concatenate([context, weights["decoder_embedding"][token]], axis=1)[None]
            outputs, cells, *_ = self._run("decoder", x, *(states or (context, None)))
            states = outputs[0], cells[0]
            logits = np.concatenate([context, outputs[0]], axis=1) @ weights["dense"] + weights["dense_b"]
            token = np.where(ended, 0, logits.argmax(axis=1))
            ended |= token == 0
            ids.append(token)
        return np.stack(ids, axis=1)

    def _run(self, name, x, h=None, c=None):
        """An LSTM over `x` `[length, batch, dim]`: outputs, cell states, gates, and tanh of the cell states."""
        length, batch, dim = x.shape
        kernel, units = self.weights[f"{name}_h"], self.weights[f"{name}_h"].shape[0]
        projected = (x.reshape(-1, dim) @ self.weights[f"{name}_x"] + self.weights[f"{name}_b"]).reshape(
            length, batch, -1
        )
        outputs = np.empty((length, batch, units), "float32")
        cells, tanhs, gates = np.empty_like(outputs), np.empty_like(outputs), projected
        for at in range(length):
            if h is not None:
                gates[at] += h @ kernel
            parts = gates[at]
            parts[:, : 3 * units] = 1 / (1 + np.exp(-parts[:, : 3 * units]))  # Forget, input, output.
            np.tanh(parts[:, 3 * units :], out=parts[:, 3 * units :])
            forget, take, give, new = np.split(parts, 4, axis=1)
            c = take * new if c is None else forget * c + take * new
            cells[at], tanhs[at] = c, np.tanh(c)
            outputs[at] = h = give * tanhs[at]
        return outputs, cells, gates, tanhs

    def _run_back(self, name, x, first_h, run, upstream, last_h):
        """Gradients of `_run`: of its weights by name, of `x`, and of the first `h`."""
        outputs, cells, gates, tanhs = run
        kernel, units = self.weights[f"{name}_h"], outputs.shape[-1]
        of_gates = np.empty_like(gates)
        of_h, of_c = last_h, 0.0
        for at in reversed(range(len(x))):
            forget, take, give, new = np.split(gates[at], 4, axis=1)
            of_f, of_i, of_o, of_g = np.split(of_gates[at], 4, axis=1)
            of_output = of_h + upstream[at] if upstream is not None else of_h
            of_c = of_c + of_output * give * (1 - tanhs[at] ** 2)
            before = cells[at - 1] if at else 0.0
            of_f[:] = of_c * before * forget * (1 - forget)
            of_i[:] = of_c * new * take * (1 - take)
            of_o[:] = of_output * tanhs[at] * give * (1 - give)
            of_g[:] = of_c * take * (1 - new**2)
            of_c = of_c * forget
            if at or first_h is not None:
                of_h = of_gates[at] @ kernel.T
        flat = of_gates.reshape(-1, 4 * units)
        later = 0 if first_h is not None else 1  # Steps with an `h` before them.
        befores = outputs[:-1] if first_h is None else np.concatenate([first_h[None], outputs[:-1]])
        gradients = {
            f"{name}_x": x.reshape(len(flat), -1).T @ flat,
            f"{name}_h": befores.reshape(-1, units).T @ of_gates[later:].reshape(-1, 4 * units),
            f"{name}_b": flat.sum(axis=0),
        }
        return gradients, (flat @ self.weights[f"{name}_x"].T).reshape(x.shape), of_h

    def _gradients(self, source, answer):
        weights = self.weights
        batch, steps = answer.shape
        target = np.concatenate([np.full((batch, 1), rows.START), answer[:, :-1]], axis=1).T
        encoder_x = weights["encoder_embedding"][source.T]
        encoder = self._run("encoder", encoder_x)
        h = encoder[0][-1]
        repeated = np.broadcast_to(h, (steps, *h.shape))
        decoder_x = np.concatenate([repeated, weights["decoder_embedding"][target]], axis=2)
        decoder = self._run("decoder", decoder_x, h)
        outputs = np.concatenate([repeated, decoder[0]], axis=2).reshape(steps * batch, -1)
        logits = outputs @ weights["dense"] + weights["dense_b"]

        of_logits = np.exp(logits - logits.max(axis=1, keepdims=True))
        of_logits /= of_logits.sum(axis=1, keepdims=True)
        answer = answer.T
        of_logits[np.arange(steps * batch), answer.ravel()] -= 1
        ended = np.cumsum(answer == 0, axis=0) - (answer == 0) > 0  # After an answer's end nothing counts.
        of_logits *= ~ended.reshape(-1, 1) / np.float32(steps * batch)

        units = h.shape[1]
        of_outputs = (of_logits @ weights["dense"].T).reshape(steps, batch, -1)
        gradients = {"dense": outputs.T @ of_logits, "dense_b": of_logits.sum(axis=0)}
        zeros = np.zeros_like(h)
        of_decoder, of_x, of_h = self._run_back("decoder", decoder_x, h, decoder, of_outputs[..., units:], zeros)
        of_h = of_h + of_outputs[..., :units].sum(axis=0) + of_x[..., :units].sum(axis=0)
        gradients |= of_decoder
        gradients["decoder_embedding"] = self._scatter("decoder_embedding", target, of_x[..., units:])
        of_encoder, of_x, _ = self._run_back("encoder", encoder_x, None, encoder, None, of_h)
        gradients |= of_encoder
        gradients["encoder_embedding"] = self._scatter("encoder_embedding", source.T, of_x)
        return gradients

    def _scatter(self, name, ids, of_x):
        """The gradient of an embedding, by a product with ones and zeros."""
        chosen = np.eye(rows.VOCABULARY_SIZE, dtype="float32")[ids.ravel()]
        return chosen.T @ of_x.reshape(len(chosen), -1)

    def _update(self, gradients, learning_rate):
        """Adam, the gradients clipped at a global norm of 5."""
        norm = np.sqrt(sum(float(np.vdot(each, each)) for each in gradients.values()))
        scale = np.float32(min(1.0, _CLIP / (norm + 1e-6)))
        self.steps += 1
        rate = np.float32(learning_rate * np.sqrt(1 - 0.999**self.steps) / (1 - 0.9**self.steps))
        for name, gradient in gradients.items():
            gradient = gradient * scale
            mean, square = self.moments[name]
            mean += np.float32(0.1) * (gradient - mean)
            square += np.float32(0.001) * (gradient * gradient - square)
            self.weights[name] -= rate * mean / (np.sqrt(square) + np.float32(1e-7))

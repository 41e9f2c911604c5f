"""What must work wherever the wheel is installed: import, a short training, both exports, and a preset that answers."""

import pathlib
import random
import subprocess
import sys
import tempfile
import time

import seqzoo  # Before Keras: it filters the lines that TensorFlow writes when it starts.

started = time.monotonic()
random.seed(0)
words = sorted({"".join(random.choices("abcd", k=random.randint(1, 4))) for _ in range(600)})
pairs = [(word, word[::-1].upper()) for word in words]

model = seqzoo.models.Seq2Seq.from_pairs(pairs, embedding_dim=8, hidden_dim=16)
model.compile(jit_compile=False)
losses = model.fit(pairs, batch_size=16, epochs=2, validation_split=0.1, verbose=0).history["loss"]
assert losses[1] < losses[0], losses
assert len(model.generate(["abc", "dcba"])) == 2

with tempfile.TemporaryDirectory() as folder:
    folder = pathlib.Path(folder)
    seqzoo.export.saved_model(model, folder / "saved_model", pairs[:20])
    assert (folder / "saved_model/1/saved_model.pb").exists()
    seqzoo.export.litert(model, folder / "model.tflite", data=pairs[:20])
    assert (folder / "model.tflite").stat().st_size > 0

    command = [pathlib.Path(sys.executable).with_name("seqzoo"), "generate", "addition_peeky_reverse", "57+5"]
    answer = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert answer.stdout == "62\n", answer

version = ".".join(map(str, sys.version_info[:3]))
print(f"Python {version}: the wheel works, tried in {time.monotonic() - started:.0f} s")

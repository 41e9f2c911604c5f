"""`seqzoo sample`: prompts, samplers, seeds."""

import pytest


@pytest.mark.slow(minutes=1)
def test_sample_repeats_with_the_seed_and_draws_as_told(run, writer_file):
    def sample(*options):
        status, output, errors = run("sample", writer_file, "--prompt", "the", "--length", 40, *options)
        assert status == 0, errors
        return output

    assert sample() == sample("--seed", 0) == sample("--temperature", 1) == sample("--top-k", 99, "--top-p", 1)
    assert sample() != sample("--seed", 1)
    assert sample("--greedy") == sample("--top-k", 1)
    assert sample("--stop", ".") == "the.\n"
    assert "a" not in sample("--skip", "a")[3:]


def test_sample_says_which_words_it_reads_as_unknown(run, writer_file):
    words = writer_file.with_name("words.keras")
    status, output, errors = run("sample", words, "--prompt", "the dog", "--length", 3)
    assert status == 0
    assert output.startswith("the dog ")
    assert "note: not in the vocabulary, read as the unknown token: 'dog'\n" in errors


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--prompt", "thé"], "the prompt has the character 'é', which is not in the vocabulary"),
        (["--length", "-5"], "argument --length: must be a whole number from 0 to 2147483647, not '-5'"),
        (["--temperature", "0"], "temperature must be a number above 0. Received: temperature=0.0"),
        (["--temperature", "-1"], "temperature must be a number above 0. Received: temperature=-1.0"),
        (["--top-k", "0"], "k must be a whole number from 1. Received: k=0"),
        (["--top-p", "0"], "p must be in (0, 1]. Received: p=0.0"),
        (["--top-p", "1.5"], "p must be in (0, 1]. Received: p=1.5"),
        (["--greedy", "--top-k", "2"], "--greedy draws nothing"),
        (["--stop", ""], "stop must be text of tokens that the model can write. Received: stop=''"),
        (["--skip", "é"], "skip has the token 'é', which is not in the vocabulary"),
    ],
)
def test_wrong_sample_options_are_one_error_line(run, writer_file, options, message):
    status, output, errors = run("sample", writer_file, *options)
    assert (status, output) == (2, "")
    assert errors.splitlines()[-1].startswith(f"error: {message}")

"""The sections of the comparison, each of which can be run alone, in the order of the page."""

from sections.answers import answers
from sections.attention import attention, attention_answers
from sections.goals import goals
from sections.growth import growth, growth_attention
from sections.starts import starts
from sections.texts import texts
from sections.training import shards, training

SECTIONS = (goals, training, shards, texts, attention, attention_answers, answers, starts, growth, growth_attention)

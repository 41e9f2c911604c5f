"""The presets that ship trained, as data: a folder each, with model, exports and model card."""

"""The pages that readers meet: one file for each thing they do. No JavaScript, no cookies."""

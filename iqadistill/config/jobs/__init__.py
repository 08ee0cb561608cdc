"""The jobs of a study: what each reads, is given and depends on, and where its results lie.

What two studies may share (indexes, splits, patches, embeddings, selections, teachers) lies at paths whose segments are
names with a short digest of all that decides the content there: the settings, the seed, and what came before, which
stands in the path as well. Equal paths therefore hold results of equal settings. Trainings and predictions of a study
lie under its name.
"""

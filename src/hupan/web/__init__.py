"""Pages for people: rendering, texts, forms, live updates; the pages themselves are in folders."""

"""The grammar as one would write it first: loops, dictionaries and nothing clever. Slow, and obviously right."""

import itertools


def expand(rules, root, choose):
    """The string below `root`, leaf-most rules first; `choose(m)` picks one of m rules."""
    symbols = [root]
    for level in reversed(rules):
        symbols = [child for y in symbols for child in level[y][choose(len(level[y]))]]
    return symbols


def parse(rules, string):
    """The levels of a string, tokens first, None where nothing parses."""
    levels = [list(string)]
    for level in rules:
        parent = {tuple(t): y for y, synonyms in enumerate(level) for t in synonyms}
        s = len(level[0][0])
        below = levels[-1]
        levels.append([parent.get(tuple(below[i : i + s])) for i in range(0, len(below), s)])
    return levels


def all_strings(rules):
    """Every grammatical string with its probability under uniform rules."""
    frontier = [((y,), 1 / len(rules[0])) for y in range(len(rules[0]))]
    for level in reversed(rules):
        grown = []
        for symbols, p in frontier:
            options = [level[y] for y in symbols]
            for pick in itertools.product(*options):
                weight = p
                for synonyms in options:
                    weight /= len(synonyms)
                grown.append((tuple(child for t in pick for child in t), weight))
        frontier = grown
    return frontier


def level_accuracy(rules, strings):
    """Fraction of valid nodes, level 1 … L."""
    parsed = [parse(rules, string) for string in strings]
    nodes = [[node is not None for levels in parsed for node in levels[l]] for l in range(1, len(rules) + 1)]
    return [sum(level) / len(level) for level in nodes]

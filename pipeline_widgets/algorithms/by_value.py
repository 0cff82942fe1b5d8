"""Algorithms and evaluators of a notebook or a script, sent by value, with cloudpickle.

No other process can import these.

What such code calls `__main__` is a module of the process that runs it. There the names that the code uses
are found, so that what looks into `__main__` works as it does in the notebook: pickle and all that stands on
it, the workers of multiprocessing, `typing.get_type_hints`, `sys.modules["__main__"]`.
"""

from __future__ import annotations

import base64
import hashlib
import io
import linecache
import pickle
import re
import sys
import warnings
from collections import ChainMap
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack, suppress
from functools import cached_property, lru_cache, partial
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any, cast
from weakref import WeakKeyDictionary

import cloudpickle

from pipeline_widgets.algorithms.captured import find_captured, is_importable
from pipeline_widgets.algorithms.former_paths import current_path
from pipeline_widgets.errors import ConfigError

MEBI = 1 << 20
WARN_ABOVE = 10 * MEBI  # bytes that an algorithm takes with it before a word is said
MOST = 200 * MEBI  # bytes that it can take: they are kept in the database, and sent to each run
NAMED_ABOVE = MEBI  # bytes from which on an object is named as large
NAMED = 3  # large objects that a warning names
MAIN = "__main__"
_PREFIX = "b64:"  # values without it are of former versions, in base85
_FIX = "Load it within the function, or put it into a module that the function imports."

_warned: set[str] = set()


def pack(algorithm: object, name: str) -> str:
    """Return an algorithm as text that `unpack` opens in another process of the same Python.

    Args:
        algorithm: The algorithm.
        name: What errors call it.

    Raises:
        ConfigError: Something that it refers to cannot be pickled, or is too large. The error names it.
    """
    try:
        data = _dumps(algorithm)
    except Exception as error:  # whatever the objects say that it refers to
        culprit = next((each for each in find_captured(algorithm) if _size(each.value) is None), None)
        what = f"{name} cannot be sent to the process that trains."
        why = f"{type(error).__name__}: {error}."
        if culprit is not None:
            why = f"{culprit.sentence}; it cannot be pickled. {why}"
        fix = "Make what it names within the function, or put it into a module."
        raise ConfigError(what, why, fix) from error
    if len(data) > WARN_ABOVE:
        _tell_of_size(algorithm, name, len(data))
    return _PREFIX + base64.b64encode(data).decode()


def unpack(value: str, earlier: Iterable[str] = ()) -> object:
    """Return what `pack` was given. Opening it runs code.

    Args:
        value: What `pack` returned.
        earlier: The same of other algorithms, which have what this one's code does not name: a checkpoint
            may hold pickled objects of them. They are opened when a name is found nowhere else.
    """
    data = _bytes_of(value)
    main = Main(others := tuple(map(_bytes_of, earlier)))
    if owns_main():
        install(main, data, others)
    algorithm, sources = _parts(_Unpickler(io.BytesIO(data), main).load())
    _remember(sources)
    main.offer(_function_of(algorithm), algorithm)
    if not owns_main():
        _offer_to_user(main)
    return algorithm


def _bytes_of(value: str) -> bytes:
    return base64.b64decode(value[len(_PREFIX) :]) if value.startswith(_PREFIX) else base64.b85decode(value)


def _parts(opened: object) -> tuple[Any, Mapping[str, str]]:
    """Return the algorithm and the source text that go with it; former versions pack no text."""
    return cast(tuple[Any, Mapping[str, str]], opened if isinstance(opened, tuple) else (opened, {}))


def _function_of(decorated: object) -> object:
    """Return the function of an algorithm or an evaluator, by whose name `__main__` has that."""
    return getattr(decorated, "train", None) or getattr(decorated, "measure", None)


def install(main: Main, data: bytes, earlier: Sequence[bytes] = ()) -> None:
    """Let a module be the `__main__` of this process and of those that it starts with multiprocessing."""
    sys.modules[MAIN] = main
    _prepare_workers(data, earlier)


def owns_main() -> bool:
    """Return whether `__main__` belongs to this package, and not to a user's notebook or script."""
    main = sys.modules.get(MAIN)
    spec = getattr(main, "__spec__", None)
    return isinstance(main, Main) or getattr(spec, "name", None) == "pipeline_widgets.__main__"


class Main(ModuleType):
    """The `__main__` of code that was sent by value: the names that it refers to."""

    def __init__(self, earlier: Iterable[bytes] = ()) -> None:
        super().__init__(MAIN)
        self.__dict__["__pipeline_widgets_earlier__"] = list(earlier)

    def __getattr__(self, name: str) -> Any:
        """Look a name up in the code of earlier stages, which no name of this one's gives way to."""
        left: list[bytes] = self.__dict__.get("__pipeline_widgets_earlier__", [])
        while left and not name.startswith("__"):
            own, data = dict(self.__dict__), left.pop(0)
            with suppress(Exception):  # what it needs may be gone, and then it has not got the name
                algorithm, sources = _parts(_Unpickler(io.BytesIO(data), self).load())
                _remember(sources)
                self.offer(_function_of(algorithm), algorithm)
            self.__dict__.update(own)
            if name in self.__dict__:
                return self.__dict__[name]
        raise AttributeError(f"module {MAIN!r} has no attribute {name!r}")

    def offer(self, value: object, instead: object | None = None) -> None:
        """Let a class or function of `__main__` be found by its name, unless that means something else."""
        name = getattr(value, "__qualname__", "")
        if getattr(value, "__module__", None) == MAIN and name.isidentifier():
            self.__dict__.setdefault(name, value if instead is None else instead)


# ---- pickle


class _Sorted:
    """A frozenset of code, pickled in an order that does not depend on the process."""

    def __init__(self, items: frozenset[object]) -> None:
        self.items = items

    def __reduce__(self) -> tuple[type, tuple[list[object]]]:
        ordered = sorted(self.items, key=lambda item: (type(item).__name__, repr(item)))
        return frozenset, ([_sorted_constant(each) for each in ordered],)


def _sorted_constant(value: object) -> object:
    if isinstance(value, frozenset):
        return _Sorted(cast(frozenset[object], value))
    if type(value) is tuple:
        return tuple(map(_sorted_constant, cast(tuple[object, ...], value)))
    return value


_of_cloudpickle: Mapping[Any, Callable[[Any], Any]] = cast(Any, cloudpickle.Pickler).dispatch_table


def _reduce_cache(function: Any) -> str | tuple[Callable[..., object], tuple[object, ...]]:
    """Send a function of `functools.cache` without what it remembers."""
    if is_importable(function):
        return function.__reduce__()
    return _cached, (function.__wrapped__, function.cache_parameters())


def _cached(function: Callable[..., object], parameters: Mapping[str, Any]) -> object:
    return lru_cache(**parameters)(function)


def _reduce_cached_property(value: cached_property[Any]) -> tuple[Callable[..., object], tuple[object, ...]]:
    """Send a cached property without the lock that it has before Python 3.12."""
    return _cached_property, (value.func, value.attrname)


def _cached_property(function: Callable[[Any], Any], name: str | None) -> cached_property[Any]:
    made = cached_property(function)
    made.attrname = name
    return made


def _reduce_weak(value: WeakKeyDictionary[Any, Any]) -> tuple[type, tuple[dict[Any, Any]]]:
    """Send what `functools.singledispatch` has in each function."""
    return WeakKeyDictionary, (dict(value),)


#: Objects of the standard library within ordinary code that neither pickle nor cloudpickle sends by value.
_REDUCERS: Mapping[Any, Callable[[Any], Any]] = {
    type(lru_cache(len)): _reduce_cache,
    cached_property: _reduce_cached_property,
    WeakKeyDictionary: _reduce_weak,
}


def _constant_name(value: object) -> str | None:
    """Return the name of a constant that is known by its identity, such as `dataclasses.MISSING`.

    A copy of it would be another object. Only what has no state and lies in its class's module is one.
    """
    kind = type(value)
    plain = (kind.__reduce_ex__, kind.__reduce__) == (object.__reduce_ex__, object.__reduce__)
    if not plain or kind.__module__ in {"builtins", MAIN} or not is_importable(kind):
        return None
    if getattr(value, "__dict__", None) or any(vars(each).get("__slots__") for each in kind.__mro__):
        return None
    home = vars(sys.modules[kind.__module__])
    return next((name for name, each in list(home.items()) if each is value), None)


#: Where the functions that make an empty class take the number by which cloudpickle tracks it.
_TRACKED_AT = {"_make_skeleton_class": 4, "_make_skeleton_enum": 5}
#: How pydantic names the schema of a class, by its address.
_ADDRESSED = re.compile(r"__main__\.[^:]+:\d+")
_SETS: Mapping[type, str] = {set: "set", frozenset: "frozenset"}
_ORDERED = frozenset({str, bytes, int, float, bool, type(None)})


class _Pickler(cloudpickle.Pickler):
    """Pickles code with its source text, and so that equal code is equal bytes in every process.

    cloudpickle gives a class a random number, and a set has an order of its own in each process.
    """

    def __init__(self, file: io.BytesIO) -> None:
        #: The text of notebook cells by the name that their code gets: no other process can read that.
        self.sources: dict[str, str] = {}
        self._classes: dict[type, str] = {}
        self._names: dict[str, str | None] = {}
        self._sets: dict[int, tuple[int, Any]] = {}
        self._addressed: dict[str, int] = {}
        own = {CodeType: self._reduce_code, **_REDUCERS}
        self.dispatch_table = ChainMap(own, cast(Any, _of_cloudpickle))
        super().__init__(file)  # pyright: ignore[reportUnknownMemberType]

    def reducer_override(self, obj: Any) -> Any:
        """Send a constant by its name, and anything else as cloudpickle does."""
        of_cloudpickle: Callable[[Any], Any] = cast(Any, super()).reducer_override
        name = _constant_name(obj)
        if name is not None:
            return name
        made = of_cloudpickle(obj)
        if isinstance(obj, type) and isinstance(made, tuple):
            return self._number_class(obj, cast("tuple[Any, ...]", made))
        return made

    def _number_class(self, kind: type, made: tuple[Any, ...]) -> tuple[Any, ...]:
        """Replace the random number by which cloudpickle tracks a class."""
        at = _TRACKED_AT.get(getattr(made[0], "__name__", ""))
        if at is None:
            return made
        if kind not in self._classes:
            self._classes[kind] = _content_of_class(kind) or f"class {len(self._classes)} {kind.__qualname__}"
        number, given = self._classes[kind], made[1]
        return (made[0], (*given[:at], number, *given[at + 1 :]), *made[2:])

    def persistent_id(self, obj: Any) -> tuple[str, int, list[object]] | None:
        """Send a set of plain values in the order of these, and pydantic's names without an address."""
        kind = cast("type[Any]", type(obj))
        if kind is str:
            if not obj.startswith("__main__.") or _ADDRESSED.fullmatch(obj) is None:
                return None
            number = self._addressed.setdefault(obj, len(self._addressed))
            return "str", number, [obj.rpartition(":")[0]]
        if kind not in _SETS or len(obj) < 2 or not all(type(each) in _ORDERED for each in obj):  # noqa: PLR2004
            return None
        number, _ = self._sets.setdefault(id(obj), (len(self._sets), obj))
        return kind.__name__, number, sorted(obj, key=lambda each: (type(each).__name__, repr(each)))

    def _reduce_code(self, code: CodeType) -> Any:
        make, parts = _of_cloudpickle[CodeType](code)
        parts = [_sorted_constant(part) if part is code.co_consts else part for part in parts]
        if code.co_filename not in self._names:
            self._names[code.co_filename] = self._name(code.co_filename)
        if (file := self._names[code.co_filename]) is not None:
            at = next(index for index, part in enumerate(parts) if isinstance(part, str))  # the file's name
            parts[at] = "".join(file)  # a new text each time, as cloudpickle has it, for the memo's sake
        return make, tuple(parts)

    def _name(self, file: str) -> str | None:
        """Return the name of a file in the other process; None where there is no text."""
        if Path(file).exists():
            return str(Path(file).resolve())
        if text := "".join(linecache.getlines(file)):
            name = f"<cell {hashlib.sha256(text.encode(errors='replace')).hexdigest()[:8]}>"
            self.sources[name] = text
            return name
        return None


def _dumps(algorithm: object) -> bytes:
    with io.BytesIO() as file:
        pickler = _Pickler(file)
        pickled = (algorithm, pickler.sources)  # these are complete when their turn comes
        pickler.dump(pickled)  # pyright: ignore[reportUnknownMemberType]
        return file.getvalue()


class _ClassPickler(_Pickler):
    """Pickles the content of one class: of other classes and of globals only the names."""

    def __init__(self, file: io.BytesIO, kind: type) -> None:
        super().__init__(file)
        self._kind = kind

    def persistent_id(self, obj: Any) -> Any:
        if isinstance(obj, type) and obj is not self._kind and obj.__module__ == MAIN:
            return "class", obj.__qualname__, ()
        return super().persistent_id(obj)

    def reducer_override(self, obj: Any) -> Any:
        if isinstance(obj, FunctionType) and not is_importable(obj):
            return _pass, (obj.__qualname__, obj.__code__, obj.__defaults__, obj.__kwdefaults__)
        return super().reducer_override(obj)

    def _number_class(self, kind: type, made: tuple[Any, ...]) -> tuple[Any, ...]:
        del kind
        at = _TRACKED_AT.get(getattr(made[0], "__name__", ""))
        return made if at is None else (made[0], (*made[1][:at], None, *made[1][at + 1 :]), *made[2:])


def _content_of_class(kind: type) -> str | None:
    """Return a number for a class that is another one for another content; None if it cannot be told."""
    with io.BytesIO() as file:
        try:
            _ClassPickler(file, kind).dump(kind)  # pyright: ignore[reportUnknownMemberType]
        except Exception:  # noqa: BLE001  whatever its attributes say
            return None
        return hashlib.sha256(file.getvalue()).hexdigest()


class _Unpickler(pickle.Unpickler):
    """Makes functions and classes of `__main__` in a given module instead of in a namespace of their own."""

    def __init__(self, file: io.BytesIO, main: Main) -> None:
        super().__init__(file)
        self._main = main
        self._begun: dict[str, Any] = {}
        self._sets: dict[int, Any] = {}

    def persistent_load(self, pid: tuple[str, int, list[object]]) -> Any:
        """Return what a name stands for; of a set, the same one each time."""
        kind, number, items = pid
        if kind == "str":
            return f"{items[0]}:{number}"
        if number not in self._sets:
            self._sets[number] = set(items) if kind == "set" else frozenset(items)
        return self._sets[number]

    def find_class(self, module_name: str, global_name: str, /) -> Any:
        if module_name == MAIN and global_name in self._main.__dict__:
            return self._main.__dict__[global_name]
        found = super().find_class(current_path(module_name), global_name)
        if module_name != "cloudpickle.cloudpickle":
            return found
        if global_name == "_make_function":
            return partial(self._make, found)
        if global_name in {"_function_setstate", "_class_setstate"}:
            return partial(self._set, found)
        if global_name == "_make_skeleton_class":
            return partial(self._begin_class, found)
        return found

    def _begin_class(self, begin: Callable[..., Any], kind: Any, *rest: Any) -> Any:
        """Make a class that is filled in later, once for all places that refer to it.

        Hooks of a user's, in a metaclass or in `__init_subclass__`, have run where the class was defined.
        Those that cannot bear it empty, or without the arguments that it was defined with, are left out.
        """
        key = rest[3]  # by which cloudpickle tracks classes
        if key not in self._begun:
            try:
                self._begun[key] = begin(kind, *rest)
            except Exception:  # noqa: BLE001  whatever the hooks raise
                self._begun[key] = begin(partial(_without_hooks, kind), *rest)
        return self._begun[key]

    def _make(self, function: Callable[..., Any], code: CodeType, names: dict[str, Any], *rest: Any) -> Any:
        return function(code, self._namespace(names), *rest)

    def _namespace(self, names: dict[str, Any]) -> dict[str, Any]:
        if names.get("__name__") != MAIN:
            return names
        self._main.__dict__.update(names)
        return self._main.__dict__

    def _set(self, setter: Callable[[Any, Any], Any], made: Any, state: Any) -> Any:
        result = setter(made, state)
        self._main.offer(made)
        return result


def _without_hooks(kind: type, name: str, bases: tuple[type, ...], names: dict[str, Any]) -> type:
    """Make a class as its metaclass does, but without what a user's own hooks add."""
    make: Callable[..., Any] = next(each for each in kind.__mro__ if each.__module__ != MAIN).__new__
    with ExitStack() as later:
        for base in dict.fromkeys(each for parent in bases for each in parent.__mro__):
            if base.__module__ == MAIN and (hook := vars(base).get("__init_subclass__")) is not None:
                later.callback(setattr, base, "__init_subclass__", hook)
                setattr(base, "__init_subclass__", classmethod(_pass))  # noqa: B010  no type knows it as one
        return make(kind, name, bases, names)


def _pass(*_: object) -> None:
    """Do nothing about a new class."""


# ---- other processes


class _MainOfWorkers:
    """Makes a worker's `__main__` when it is unpickled there, which is before all that refers to it."""

    def __init__(self, data: bytes, earlier: Sequence[bytes]) -> None:
        self._data = data
        self._earlier = earlier

    def __reduce__(self) -> tuple[Callable[..., None], tuple[list[str], bytes, Sequence[bytes]]]:
        return _begin_worker, (sys.path, self._data, self._earlier)


def _begin_worker(path: list[str], data: bytes, earlier: Sequence[bytes]) -> None:
    sys.path[:] = path
    main = sys.modules["__mp_main__"] = Main(earlier)
    install(main, data, earlier)
    opened: Any = _Unpickler(io.BytesIO(data), main).load()
    algorithm, sources = _parts(opened)
    main.offer(_function_of(algorithm), algorithm)
    _remember(sources)


_prepare: Callable[[str], dict[str, Any]] | None = None


def _prepare_workers(data: bytes, earlier: Sequence[bytes]) -> None:
    """Have multiprocessing's fresh interpreters find the names of `__main__` as forked ones do."""
    from multiprocessing import spawn  # noqa: PLC0415  few trainings need it

    global _prepare  # noqa: PLW0603  it is the module that is changed, once
    prepare = _prepare = _prepare or spawn.get_preparation_data

    def prepared(name: str) -> dict[str, Any]:
        given = prepare(name)
        own = {key: value for key, value in given.items() if not key.startswith("init_main_from")}
        return {**own, "pipeline_widgets": _MainOfWorkers(data, earlier)}

    spawn.get_preparation_data = prepared


def _offer_to_user(main: Main) -> None:
    """Let the user's own `__main__` find what was opened here, where it has no such name itself.

    Only what looks for an attribute of the module does, such as pickle; no name of the notebook changes.
    """
    users = sys.modules[MAIN]
    if getattr(users.__dict__.get("__getattr__"), "__module__", __name__) != __name__:
        return  # it has one of its own

    def lacking(name: str) -> object:
        if name.startswith("__"):
            raise AttributeError(f"module {MAIN!r} has no attribute {name!r}")
        return getattr(main, name)

    users.__dict__["__getattr__"] = lacking


def _remember(sources: Mapping[str, str]) -> None:
    """Let tracebacks and `inspect.getsource` show the text of cells."""
    for file, text in sources.items():
        linecache.cache.setdefault(file, (len(text), None, text.splitlines(keepends=True), file))


# ---- size


def _tell_of_size(algorithm: object, name: str, size: int) -> None:
    """Warn once in each process of what makes an algorithm large; refuse what is too large."""
    if size <= MOST and name in _warned:
        return
    _warned.add(name)
    sizes = [(_size(each.value) or 0, each) for each in find_captured(algorithm)]
    large = sorted((each for each in sizes if each[0] >= NAMED_ABOVE), key=lambda each: -each[0])[:NAMED]
    named = " ".join(f"{each.sentence} ({of / 1e6:,.0f} MB)." for of, each in large)
    if size > MOST:
        what = f"{name} cannot be sent to the process that trains: it takes {size / 1e6:,.0f} MB with it."
        raise ConfigError(what, f"At most {MOST / 1e6:,.0f} MB can be sent. {named}".strip(), _FIX)
    what = f"{name} takes {size / 1e6:,.0f} MB with it, which are kept in the database with each change."
    warnings.warn(f"{what} {named} {_FIX}".replace("  ", " "), stacklevel=2)


def _size(value: object) -> int | None:
    """Return how many bytes a value takes; None if it cannot be pickled."""
    try:
        return len(_dumps(value))
    except Exception:  # noqa: BLE001  whatever it says
        return None

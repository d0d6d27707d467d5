import pytest

from official import Official
from standin import Standin


@pytest.fixture
def standin():
    made = Standin()
    yield made
    made.close()


@pytest.fixture
def official(standin):
    made = Official(standin.url)
    yield made
    made.close()

# SPDX-License-Identifier: Apache-2.0
"""The page of an audit in a real browser, opened from a file."""

import numpy as np
import pytest
from audit_builders import audit_of, folder_dataset, page_of
from browser import Browser, find_browser, wait_until
from mmengine.registry import DefaultScope

from tcl_plugin.reports.audit import apply_decisions
from tcl_plugin.reports.audit.decisions import page_id

pytestmark = pytest.mark.skipif(
    find_browser() is None, reason='no Chromium is installed; CHROMIUM=/path/to/chromium names one'
)

NAMES = ['<b>cat</b>', 'dog & "cow"', '</script><script>window.broken = 1</script>']
COUNT, PAGE_SIZE = 60, 48


@pytest.fixture(scope='module')
def audit(tmp_path_factory):
    """Sixty images, whose labels are all called wrong: twenty of each class, most of which belong to the next."""
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        dataset = folder_dataset(tmp_path_factory.mktemp('images'), NAMES, per_class=COUNT // 3)
    given = dataset.given_labels
    suggested = (given + 1) % 3
    suggested[:3] = 2  # three of another pair
    suggested[5] = given[5]  # called wrong, but no other class is likelier
    clean_prob = np.linspace(0.4, 0.1, COUNT)  # the last one is the most doubtful
    return audit_of(dataset, suggested, np.full(COUNT, True), clean_prob)


@pytest.fixture(scope='module')
def page(audit, tmp_path_factory):
    return page_of(audit, tmp_path_factory.mktemp('page') / 'index.html')


@pytest.fixture(scope='module')
def chromium(tmp_path_factory):
    browser = Browser(tmp_path_factory.mktemp('browser'))
    yield browser
    browser.close()


@pytest.fixture
def browser(chromium, page):
    """The browser with the page, without decisions of other tests."""
    chromium.open(page)
    chromium.run('localStorage.clear()')
    chromium.messages.clear()
    chromium.open(page)
    return chromium


def shown(browser):
    """Samples on the cards in sight."""
    return [int(i) for i in browser.run('[...document.querySelectorAll(".card")].map((c) => c.dataset.index)')]


def focused(browser):
    return int(browser.run('document.activeElement.dataset.index'))


def text(browser, selector):
    return browser.run(f'document.querySelector({selector!r}).textContent')


def decided(browser):
    """Decisions that the cards in sight show."""
    script = '[...document.querySelectorAll(".card[data-decision]")].map((c) => [c.dataset.index, c.dataset.decision])'
    return {int(index): decision for index, decision in browser.run(script)}


def select(browser, name, value):
    browser.run(f'document.getElementById({name!r}).value = {value!r}')
    browser.run(f'document.getElementById({name!r}).dispatchEvent(new Event("change"))')


def test_opens_without_network_and_without_complaints(browser, page):
    assert shown(browser) == list(range(COUNT - 1, COUNT - 1 - PAGE_SIZE, -1))
    assert browser.requests() == [page.resolve().as_uri()]
    assert browser.errors() == []
    loaded = '[...document.querySelectorAll(".card img")].every((i) => i.complete && i.naturalWidth === 16)'
    browser.wait(loaded)
    assert browser.run('getComputedStyle(document.querySelector(".card img")).imageRendering') == 'pixelated'


def test_names_are_text(browser):
    assert browser.run('typeof window.broken') == 'undefined'
    assert browser.run('document.querySelectorAll("b").length') == 0
    assert text(browser, '.card .given') == NAMES[2] and text(browser, '.card .suggested') == NAMES[0]
    headings = browser.run('[...document.querySelectorAll("#heat th[scope=row]")].map((e) => e.textContent)')
    assert headings == NAMES


def test_pages(browser):
    assert text(browser, '#page') == 'Page 1 of 2'
    browser.run('document.getElementById("next").click()')
    assert text(browser, '#page') == 'Page 2 of 2' and shown(browser) == list(range(COUNT - 1 - PAGE_SIZE, -1, -1))
    assert browser.run('document.getElementById("next").disabled')
    browser.press('ArrowLeft')
    assert text(browser, '#page') == 'Page 1 of 2' and focused(browser) == COUNT - PAGE_SIZE


def test_filters(browser):
    cell = "document.querySelector(\"#heat [data-given='0'][data-suggested='2']\")"
    assert browser.run(f'{cell}.textContent') == '3'
    browser.run(f'{cell}.click()')
    assert shown(browser) == [2, 1, 0] and browser.run(f'{cell}.getAttribute("aria-pressed")') == 'true'
    assert browser.run('[given.value, suggested.value]') == ['0', '2']
    browser.run('document.getElementById("clear-filter").click()')
    assert len(shown(browser)) == PAGE_SIZE
    select(browser, 'given', '1')
    assert shown(browser) == list(range(39, 19, -1))
    select(browser, 'suggested', '0')
    assert shown(browser) == [] and 'No image fits' in text(browser, '#empty')
    browser.run('document.querySelector("#bars [data-given=\'2\']").click()')
    assert shown(browser) == list(range(59, 39, -1))


def test_order(browser):
    select(browser, 'sort', 'index')
    assert shown(browser) == list(range(PAGE_SIZE))
    select(browser, 'sort', 'class')
    assert shown(browser) == [*range(19, -1, -1), *range(39, 19, -1), *range(59, 51, -1)]


def test_keys(browser):
    browser.run('document.querySelector(".card").focus()')
    for key in ('a', 'R', 'ArrowRight', 'a'):
        browser.press(key)
    assert decided(browser) == {59: 'accept', 58: 'reject', 56: 'accept'} and focused(browser) == 55
    assert text(browser, '#decided-count') == '3'
    browser.press('u')  # nothing on this card: the last decision
    assert decided(browser) == {59: 'accept', 58: 'reject'} and focused(browser) == 56
    columns = browser.run('getComputedStyle(gallery).gridTemplateColumns.split(" ").length')
    browser.press('ArrowDown')
    assert focused(browser) == 56 - columns
    browser.press('ArrowUp')
    browser.press('Home')
    browser.press('u')
    assert decided(browser) == {58: 'reject'} and focused(browser) == 59
    assert 'Sample 59 undecided' in text(browser, '#spoken')
    assert browser.run('document.activeElement.getAttribute("aria-label")').endswith('undecided')
    browser.press('End')
    assert focused(browser) == 0


def test_decided_cards_leave_a_list_of_undecided_ones(browser):
    select(browser, 'decided', 'undecided')
    browser.run('document.querySelector(".card").focus()')
    browser.press('a')
    browser.press('a')
    assert focused(browser) == shown(browser)[0] == 57
    select(browser, 'decided', 'accept')
    assert shown(browser) == [59, 58]


def test_nothing_to_accept_where_no_other_class_is_suggested(browser):
    select(browser, 'sort', 'index')
    browser.run('document.querySelector(".card[data-index=\'5\']").focus()')
    browser.press('a')
    assert decided(browser) == {} and 'no suggestion to accept' in text(browser, '#spoken')
    assert browser.run('document.querySelector(".card[data-index=\'5\'] .accept").disabled')


def test_decisions_are_remembered_and_downloaded(browser, page, audit):
    browser.run('document.querySelector(".card .accept").click()')
    browser.run('document.querySelectorAll(".card .reject")[2].click()')
    browser.open(page)
    assert decided(browser) == {59: 'accept', 57: 'reject'}
    browser.run('document.getElementById("download").click()')
    path = browser.downloads / 'decisions.csv'
    wait_until(lambda: path.is_file() and path.read_text().count('\n') == 3, 'the download')
    lines = path.read_text().splitlines()
    assert lines[0] == 'sample_idx,given_label,suggested_label,decision,page'
    assert lines[1:] == [f'57,2,0,reject,{page_id(audit.table)}', f'59,2,0,accept,{page_id(audit.table)}']
    labels, counts = apply_decisions(path, audit.table)
    assert np.flatnonzero(labels != audit.table.given_label).tolist() == [59]
    assert counts == {'accept': 1, 'reject': 1, 'undecided': COUNT - 2}
    assert browser.errors() == []


def test_decisions_in_another_tab_are_kept(browser):
    """What that has decided since comes in, and is not overwritten."""
    browser.run('document.querySelector(".card .accept").click()')
    key = browser.run('Object.keys(localStorage)[0]')
    browser.run(f'localStorage.setItem({key!r}, JSON.stringify({{59: "accept", 58: "reject"}}))')
    browser.run('document.querySelectorAll(".card .reject")[2].click()')
    assert decided(browser) == {59: 'accept', 58: 'reject', 57: 'reject'}
    browser.run(f'localStorage.setItem({key!r}, "{{}}")')
    browser.run(f'window.dispatchEvent(new StorageEvent("storage", {{key: {key!r}}}))')
    assert decided(browser) == {} and text(browser, '#decided-count') == '0'


def test_decisions_on_images_that_the_page_does_not_hold(browser):
    """As one made with a larger --top had them: they are told of, as the download lacks them."""
    browser.run('document.querySelector(".card .accept").click()')
    key = browser.run('Object.keys(localStorage)[0]')
    browser.run(f'localStorage.setItem({key!r}, JSON.stringify({{59: "accept", 900: "reject"}}))')
    browser.run('document.querySelectorAll(".card .reject")[2].click()')
    assert text(browser, '#decided-count') == '2 (1 more are not on this page)'
    browser.run('document.getElementById("download").click()')
    assert '1 decisions are on images that this page does not hold' in text(browser, '#notice')


def test_many_pairs_of_classes(chromium, audit, tmp_path):
    """As many as a thousand classes may have."""
    path = page_of(audit, tmp_path / 'index.html')
    text_of = path.read_text(encoding='utf-8')
    start = text_of.index('"pairs":')
    end = text_of.index(']]', start) + 2
    pairs = ','.join(['[0,1,20],[1,2,20]', *(['[2,0,3]'] * 200_000)])
    path.write_text(f'{text_of[:start]}"pairs":[{pairs}]{text_of[end:]}', encoding='utf-8')
    chromium.open(path)
    assert chromium.errors() == [] and len(shown(chromium)) == PAGE_SIZE


@pytest.mark.parametrize('width', [1300, 1000, 390])
def test_shares_stand_on_one_line_of_their_tiles(chromium, audit, tmp_path, width):
    path = page_of(audit, tmp_path / 'index.html')
    measured = '"measured":{"noise_rate":0.9999,"precision":1,"recall":0.0001,"suggestions_right":0.9999}'
    path.write_text(path.read_text(encoding='utf-8').replace('"measured":null', measured), encoding='utf-8')
    chromium.resize(width, 900)
    chromium.open(path)
    values = '[...document.querySelectorAll("#numbers dd:not(#decided-count)")]'
    assert '> 99.9 %' in chromium.run(f'{values}.map((e) => e.textContent.replaceAll("\\u00a0", " "))')
    assert chromium.run(f'new Set({values}.map((e) => e.offsetHeight)).size') == 1
    assert chromium.run(f'{values}.every((e) => e.scrollWidth <= e.clientWidth)')
    chromium.resize(1280, 900)


@pytest.mark.parametrize('scheme', ['light', 'dark'])
def test_fits_a_phone_in_both_schemes(browser, scheme):
    browser.prefer(scheme)
    browser.resize(390, 844, mobile=True)
    assert browser.run('document.documentElement.scrollWidth') <= 390
    back = browser.run('getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)')
    assert (sum(back) > 384) == (scheme == 'light')
    browser.resize(1280, 900)

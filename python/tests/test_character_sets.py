"""Edited texts are written in the character set that counts where they stand."""

import io
import os

import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

import dicube


def _item(**values):
    item = Dataset()
    for keyword, value in values.items():
        setattr(item, keyword, value)
    return item


def _given(folder, charset, *items, implicit=False, undefined=False):
    """Gives every file of a series a sequence and a character set."""
    for path in folder.iterdir():
        data_set = pydicom.dcmread(path)
        data_set.SpecificCharacterSet = charset
        data_set.InstitutionName = "Köln" if charset == "ISO_IR 100" else "Koln"
        data_set.AnatomicRegionSequence = Sequence(items)
        data_set["AnatomicRegionSequence"].is_undefined_length = undefined
        if implicit:
            data_set.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2"
            data_set.save_as(path, implicit_vr=True, little_endian=True)
        else:
            data_set.save_as(path)


def _saved(image, path):
    """The first file of the image as pydicom reads it, and its metadata as this package does."""
    dicube.save(image, path)
    with dicube.open(path) as archive:
        return pydicom.dcmread(io.BytesIO(archive.read_file(0))), dicube.load_meta(path)


def test_a_text_outside_the_character_set_is_refused(own_series, tmp_path):
    image = dicube.load_from_dicom_folder(own_series)
    image.dicom_meta.set_shared_item("PatientName", "Müller^Ä")
    with pytest.raises(dicube.MetaDataError, match="SpecificCharacterSet"):
        dicube.save(image, tmp_path / "x.dcbs")
    assert os.listdir(tmp_path) == ["series"]


@pytest.mark.parametrize("charset, name, coded", [
    (["", "ISO 2022 IR 87"], "Yamada^Tarou=山田^太郎=やまだ^たろう", b"=\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B="),
    (["ISO 2022 IR 13", "ISO 2022 IR 87"], "ﾔﾏﾀﾞ^ﾀﾛｳ=山田^太郎", b"\xd4\xcf\xc0\xde^\xc0\xdb\xb3=\x1b$B;3ED\x1b(J^\x1b$BB@O:\x1b(J"),
    (["ISO 2022 IR 6", "ISO 2022 IR 87", "ISO 2022 IR 159"], "丂^山田", b"\x1b$(D0!\x1b(B^\x1b$B;3ED\x1b(B"),
    (["", "ISO 2022 IR 149"], "Hong^Gildong=洪^吉洞=홍^길동", b"=\x1b$)C\xfb\xf3^\x1b$)C\xd1\xce\xd4\xd7=\x1b$)C\xc8\xab^"),
    (["", "ISO 2022 IR 58"], "Zhang^XiaoDong=张^小东", b"=\x1b$)A\xd5\xc5^\x1b$)A\xd0\xa1\xb6\xab"),
    (["ISO 2022 IR 100", "ISO 2022 IR 126"], "Äneas^Διο", b"\xc4neas^\x1b-F\xc4\xe9\xef\x1b-A"),
])  # fmt: skip
def test_texts_in_several_character_sets_are_written_with_escapes_between_them(own_series, tmp_path, charset, name, coded):
    for path in own_series.iterdir():
        data_set = pydicom.dcmread(path)
        data_set.SpecificCharacterSet = charset
        data_set.save_as(path)
    image, texts = dicube.load_from_dicom_folder(own_series), [part for group in name.split("=") for part in group.split("^")]
    image.dicom_meta.set_shared_item("PatientName", name)
    image.dicom_meta.set_shared_item("OtherPatientNames", [name, "A^B", name])
    image.dicom_meta.set_shared_item("ImageComments", "\r\n".join(texts))
    image.dicom_meta.set_shared_item("AnatomicRegionSequence", [{"CodeMeaning": texts[-1]}])
    after, meta = _saved(image, tmp_path / "x.dcbs")
    assert (meta["PatientName"], meta["OtherPatientNames"], meta["ImageComments"]) == (name, [name, "A^B", name], "\r\n".join(texts))
    assert meta["AnatomicRegionSequence"] == [{"CodeMeaning": texts[-1]}]
    assert coded in dicube.open(tmp_path / "x.dcbs").read_file(0)
    if "ISO 2022 IR 58" not in charset:  # of which pydicom 3 leaves the escapes in
        assert after.PatientName == name and after.OtherPatientNames == [name, "A^B", name] and after.ImageComments == "\r\n".join(texts)
        assert after.AnatomicRegionSequence[0].CodeMeaning == texts[-1]
    image.dicom_meta.set_shared_item("PatientName", "ไทย")
    with pytest.raises(dicube.MetaDataError, match="SpecificCharacterSet"):
        dicube.save(image, tmp_path / "y.dcbs")


def test_another_character_set_rewrites_every_text_that_depends_on_it(own_series, tmp_path):
    for path in own_series.iterdir():
        data_set = pydicom.dcmread(path)
        data_set.SpecificCharacterSet, data_set.InstitutionName, data_set.StationName = "ISO_IR 100", "Krankenhaus Köln", "A"
        data_set.save_as(path)
    image = dicube.load_from_dicom_folder(own_series)
    image.dicom_meta.set_shared_item("SpecificCharacterSet", "ISO_IR 192")
    image.dicom_meta.set_shared_item("PatientName", "山田^太郎")
    dicube.save(image, tmp_path / "x.dcbs")
    with dicube.open(tmp_path / "x.dcbs") as archive:
        after = pydicom.dcmread(io.BytesIO(archive.read_file(0)))
        assert archive.meta["InstitutionName"] == "Krankenhaus Köln" and archive.meta["PatientName"] == "山田^太郎"
    assert (after.SpecificCharacterSet, after.InstitutionName, after.PatientName) == ("ISO_IR 192", "Krankenhaus Köln", "山田^太郎")
    image.dicom_meta.set_shared_item("SpecificCharacterSet", "ISO_IR 100")
    with pytest.raises(dicube.MetaDataError, match="SpecificCharacterSet"):
        dicube.save(image, tmp_path / "y.dcbs")


@pytest.mark.parametrize("implicit, undefined", [(False, False), (True, False), (False, True)])
def test_another_character_set_rewrites_texts_in_sequences(own_series, tmp_path, implicit, undefined):
    inner = _item(CodeMeaning="Fuß", CodeValue="1")
    own = _item(SpecificCharacterSet="ISO_IR 144", CodeMeaning="Череп", PurposeOfReferenceCodeSequence=Sequence([_item(CodeMeaning="Нога")]))
    _given(own_series, "ISO_IR 100", _item(CodeMeaning="Schädel", CodeValue="T-1", AnatomicRegionModifierSequence=Sequence([inner])), own,
           implicit=implicit, undefined=undefined)  # fmt: skip
    before = pydicom.dcmread(own_series / "slice_0000.dcm")
    image = dicube.load_from_dicom_folder(own_series)
    read = image.dicom_meta["AnatomicRegionSequence"]
    assert [item["CodeMeaning"] for item in read] == ["Schädel", "Череп"]
    assert read[1]["PurposeOfReferenceCodeSequence"][0]["CodeMeaning"] == "Нога"
    image.dicom_meta.set_shared_item("SpecificCharacterSet", "ISO_IR 192")
    after, meta = _saved(image, tmp_path / "x.dcbs")
    assert meta["AnatomicRegionSequence"] == read and meta["InstitutionName"] == "Köln"
    assert after.AnatomicRegionSequence == before.AnatomicRegionSequence
    assert after.AnatomicRegionSequence[1].SpecificCharacterSet == "ISO_IR 144"
    raw = dicube.open(tmp_path / "x.dcbs").read_file(0)
    assert "Schädel".encode() in raw and "Fuß".encode() in raw and "Schädel".encode("latin-1") not in raw
    assert "Череп".encode("iso8859-5") in raw and "Нога".encode("iso8859-5") in raw
    image.dicom_meta.set_shared_item("SpecificCharacterSet", "ISO_IR 144")
    with pytest.raises(dicube.MetaDataError, match="CodeMeaning|InstitutionName"):
        dicube.save(image, tmp_path / "y.dcbs")


def test_a_character_set_may_go_together_with_the_texts_that_need_it(own_series, tmp_path):
    _given(own_series, "ISO_IR 100", _item(CodeMeaning="Köln"))
    image = dicube.load_from_dicom_folder(own_series)
    for keyword in ("SpecificCharacterSet", "AnatomicRegionSequence", "InstitutionName"):
        image.dicom_meta.remove(keyword)
    dicube.save_to_dicom_folder(image, tmp_path / "out")
    data_set = pydicom.dcmread(tmp_path / "out" / "slice_0000.dcm")
    assert "SpecificCharacterSet" not in data_set and "AnatomicRegionSequence" not in data_set


def test_edited_items_are_written_in_their_own_or_the_inherited_set(own_series, tmp_path):
    own = _item(SpecificCharacterSet="ISO_IR 144", CodeMeaning="Череп", PurposeOfReferenceCodeSequence=Sequence([_item(CodeMeaning="Нога")]))
    _given(own_series, "ISO_IR 100", _item(CodeMeaning="Schädel"), own)
    image = dicube.load_from_dicom_folder(own_series)
    items = image.dicom_meta["AnatomicRegionSequence"]
    items[0]["CodeMeaning"], items[1]["CodeMeaning"] = "Füße", "Рука"
    items[1]["PurposeOfReferenceCodeSequence"][0]["CodeMeaning"] = "Глаз"
    items.append({"SpecificCharacterSet": "ISO_IR 192", "CodeMeaning": "頭 Kopf"})
    image.dicom_meta.set_shared_item("AnatomicRegionSequence", items)
    after, meta = _saved(image, tmp_path / "x.dcbs")
    assert meta["AnatomicRegionSequence"] == items
    assert [item.CodeMeaning for item in after.AnatomicRegionSequence] == ["Füße", "Рука", "頭 Kopf"]
    assert after.AnatomicRegionSequence[1].PurposeOfReferenceCodeSequence[0].CodeMeaning == "Глаз"
    raw = dicube.open(tmp_path / "x.dcbs").read_file(0)
    for text, codec in (("Füße", "latin-1"), ("Рука", "iso8859-5"), ("Глаз", "iso8859-5"), ("頭 Kopf", "utf-8")):
        assert text.encode(codec) in raw
    for place, text in ((0, "Рука"), (1, "Füße")):
        wrong = image.dicom_meta["AnatomicRegionSequence"]
        wrong[place]["CodeMeaning"] = text
        image.dicom_meta.set_shared_item("AnatomicRegionSequence", wrong)
        with pytest.raises(dicube.MetaDataError, match="SpecificCharacterSet"):
            dicube.save(image, tmp_path / "y.dcbs")
        image.dicom_meta.set_shared_item("AnatomicRegionSequence", items)


def test_private_elements_in_an_edited_sequence_keep_their_vr(own_series, tmp_path):
    item = _item(CodeMeaning="a")
    item.add_new(0x00990010, "LO", "MAKER")
    item.add_new(0x00991001, "SH", "Größe")
    item.add_new(0x00991002, "US", 7)
    item.add_new(0x00991003, "FD", [1.5, 2.5])
    _given(own_series, "ISO_IR 100", item)
    image = dicube.load_from_dicom_folder(own_series)
    items = image.dicom_meta["AnatomicRegionSequence"]
    items[0]["CodeMeaning"] = "b"
    items[0]["00991010"] = "new text"
    image.dicom_meta.set_shared_item("AnatomicRegionSequence", items)
    after, _ = _saved(image, tmp_path / "x.dcbs")
    made = after.AnatomicRegionSequence[0]
    assert made.CodeMeaning == "b" and made[0x00991010].value == "new text"
    for tag in (0x00990010, 0x00991001, 0x00991002, 0x00991003):
        assert made[tag] == item[tag]


def test_a_sequence_that_was_not_edited_keeps_its_bytes(own_series, tmp_path):
    _given(own_series, "ISO_IR 100", _item(CodeMeaning="Schädel"), undefined=True)
    image = dicube.load_from_dicom_folder(own_series)
    image.dicom_meta.set_shared_item("PatientName", "Jäger")
    _saved(image, tmp_path / "x.dcbs")
    found = []
    for data in ((own_series / "slice_0000.dcm").read_bytes(), dicube.open(tmp_path / "x.dcbs").read_file(0)):
        start = data.index(b"\x08\x00\x18\x22SQ\0\0\xff\xff\xff\xff")
        found.append(data[start : data.index(b"\xfe\xff\xdd\xe0", start)])
    assert found[0] == found[1] and "Schädel".encode("latin-1") in found[0]
    assert "Jäger".encode("latin-1") in dicube.open(tmp_path / "x.dcbs").read_file(0)


def test_a_compressed_icon_in_an_edited_sequence_keeps_its_fragments(own_series, tmp_path):
    icon = _item(CodeMeaning="a", PixelData=pydicom.encaps.encapsulate([b"\xff\xd8first", b"\xff\xd8second!"]))
    icon["PixelData"].VR, icon["PixelData"].is_undefined_length = "OB", True
    _given(own_series, "ISO_IR 100", icon)
    image = dicube.load_from_dicom_folder(own_series)
    items = image.dicom_meta["AnatomicRegionSequence"]
    assert items[0]["PixelData"] == icon.PixelData
    items[0]["CodeMeaning"] = "b"
    image.dicom_meta.set_shared_item("AnatomicRegionSequence", items)
    after, _ = _saved(image, tmp_path / "x.dcbs")
    made = after.AnatomicRegionSequence[0]
    assert made.CodeMeaning == "b" and made["PixelData"].is_undefined_length and made.PixelData == icon.PixelData

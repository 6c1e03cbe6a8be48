"""Find every face in a folder of photos, tell who is who, and group faces into people.

What is listed in ``__all__`` is public, and follows semantic versioning; all else may change
between any two versions. Importing this package loads neither torch, faiss nor h5py: each name
brings what it needs when it is first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from indexer.lazy_exports import lazy_exports

if TYPE_CHECKING:
    from facesearch.api.backup import (
        bucket_gallery,
        export_gallery,
        export_vectors,
        import_gallery,
        import_vectors,
        pull_gallery,
        push_gallery,
    )
    from facesearch.api.batch import identify_photos, search_many
    from facesearch.api.clustering import (
        cluster_gallery,
        gallery_album,
        latest_run,
        write_report,
        write_sidecars,
    )
    from facesearch.api.encoders import calibrate_encoder, fetch_encoder, quantise_encoder
    from facesearch.api.encryption import (
        change_key,
        decrypt_gallery,
        encrypt_gallery,
        unlocked_gallery,
    )
    from facesearch.api.evaluation import (
        EvaluationOptions,
        evaluate_clustering,
        evaluate_folder,
        evaluate_identification,
        evaluate_lfw,
        evaluate_pairs,
        evaluate_robustness,
        evaluate_slices,
        evaluate_video,
        write_evaluation,
    )
    from facesearch.api.indexing import IndexReport, build_index, index_photos, make_graph
    from facesearch.api.info import gallery_info
    from facesearch.api.maintenance import (
        check_erased,
        check_gallery,
        forget_faces,
        unforget_photos,
    )
    from facesearch.api.people import (
        calibrate,
        enroll,
        enroll_folders,
        export_people,
        import_names,
        import_people,
        people_suggestions,
    )
    from facesearch.api.people_lists import list_decisions, list_people, show_person
    from facesearch.api.session import (
        GallerySession,
        identify_photo,
        search_photo,
        verify_photos,
    )
    from facesearch.api.training import crop_photos, train_encoder
    from facesearch.api.upgrading import upgrade_gallery
    from facesearch.clustering.options import ClusterOptions
    from facesearch.curation.editor import PeopleEditor
    from facesearch.distributed.ray_runtime import RayOptions
    from facesearch.embed import EmbedOptions
    from facesearch.encoders import (
        EncoderSettings,
        PixelFormat,
        Template,
        add_encoder,
        remove_encoder,
    )
    from facesearch.engine import create_engine
    from facesearch.engine_options import EngineOptions
    from facesearch.errors import (
        BusyGalleryError,
        ChangedDecisionsError,
        ChangedGalleryError,
        ContractError,
        EncryptedGalleryError,
        FacesearchError,
        GalleryError,
        InputError,
        PhotoError,
        TrainingCollapsedError,
        WeightsError,
    )
    from facesearch.gallery.face_table import FaceTable
    from facesearch.gallery.gallery import Gallery

__version__ = "0.1.0"

# Functions are verbs with an object, such as search_photo: importing the package facesearch.search
# sets an attribute of its name here, which a function called search would lose to or hide.
_MODULES = {
    "BusyGalleryError": "errors",
    "ChangedDecisionsError": "errors",
    "ChangedGalleryError": "errors",
    "ClusterOptions": "clustering.options",
    "ContractError": "errors",
    "EmbedOptions": "embed",
    "EncoderSettings": "encoders",
    "EncryptedGalleryError": "errors",
    "EngineOptions": "engine_options",
    "EvaluationOptions": "api.evaluation",
    "FaceTable": "gallery.face_table",
    "FacesearchError": "errors",
    "Gallery": "gallery.gallery",
    "GalleryError": "errors",
    "GallerySession": "api.session",
    "IndexReport": "api.indexing",
    "InputError": "errors",
    "PeopleEditor": "curation.editor",
    "PhotoError": "errors",
    "PixelFormat": "encoders",
    "RayOptions": "distributed.ray_runtime",
    "Template": "encoders",
    "TrainingCollapsedError": "errors",
    "WeightsError": "errors",
    "add_encoder": "encoders",
    "bucket_gallery": "api.backup",
    "build_index": "api.indexing",
    "calibrate": "api.people",
    "calibrate_encoder": "api.encoders",
    "change_key": "api.encryption",
    "check_erased": "api.maintenance",
    "check_gallery": "api.maintenance",
    "cluster_gallery": "api.clustering",
    "create_engine": "engine",
    "crop_photos": "api.training",
    "decrypt_gallery": "api.encryption",
    "encrypt_gallery": "api.encryption",
    "enroll": "api.people",
    "enroll_folders": "api.people",
    "evaluate_clustering": "api.evaluation",
    "evaluate_folder": "api.evaluation",
    "evaluate_identification": "api.evaluation",
    "evaluate_lfw": "api.evaluation",
    "evaluate_pairs": "api.evaluation",
    "evaluate_robustness": "api.evaluation",
    "evaluate_slices": "api.evaluation",
    "evaluate_video": "api.evaluation",
    "export_gallery": "api.backup",
    "export_people": "api.people",
    "export_vectors": "api.backup",
    "fetch_encoder": "api.encoders",
    "forget_faces": "api.maintenance",
    "gallery_album": "api.clustering",
    "gallery_info": "api.info",
    "identify_photo": "api.session",
    "identify_photos": "api.batch",
    "import_gallery": "api.backup",
    "import_names": "api.people",
    "import_people": "api.people",
    "import_vectors": "api.backup",
    "index_photos": "api.indexing",
    "latest_run": "api.clustering",
    "list_decisions": "api.people_lists",
    "list_people": "api.people_lists",
    "make_graph": "api.indexing",
    "people_suggestions": "api.people",
    "pull_gallery": "api.backup",
    "push_gallery": "api.backup",
    "quantise_encoder": "api.encoders",
    "remove_encoder": "encoders",
    "search_many": "api.batch",
    "search_photo": "api.session",
    "show_person": "api.people_lists",
    "train_encoder": "api.training",
    "unforget_photos": "api.maintenance",
    "unlocked_gallery": "api.encryption",
    "upgrade_gallery": "api.upgrading",
    "verify_photos": "api.session",
    "write_evaluation": "api.evaluation",
    "write_report": "api.clustering",
    "write_sidecars": "api.clustering",
}

__all__ = [
    "BusyGalleryError",
    "ChangedDecisionsError",
    "ChangedGalleryError",
    "ClusterOptions",
    "ContractError",
    "EmbedOptions",
    "EncoderSettings",
    "EncryptedGalleryError",
    "EngineOptions",
    "EvaluationOptions",
    "FaceTable",
    "FacesearchError",
    "Gallery",
    "GalleryError",
    "GallerySession",
    "IndexReport",
    "InputError",
    "PeopleEditor",
    "PhotoError",
    "PixelFormat",
    "RayOptions",
    "Template",
    "TrainingCollapsedError",
    "WeightsError",
    "add_encoder",
    "bucket_gallery",
    "build_index",
    "calibrate",
    "calibrate_encoder",
    "change_key",
    "check_erased",
    "check_gallery",
    "cluster_gallery",
    "create_engine",
    "crop_photos",
    "decrypt_gallery",
    "encrypt_gallery",
    "enroll",
    "enroll_folders",
    "evaluate_clustering",
    "evaluate_folder",
    "evaluate_identification",
    "evaluate_lfw",
    "evaluate_pairs",
    "evaluate_robustness",
    "evaluate_slices",
    "evaluate_video",
    "export_gallery",
    "export_people",
    "export_vectors",
    "fetch_encoder",
    "forget_faces",
    "gallery_album",
    "gallery_info",
    "identify_photo",
    "identify_photos",
    "import_gallery",
    "import_names",
    "import_people",
    "import_vectors",
    "index_photos",
    "latest_run",
    "list_decisions",
    "list_people",
    "make_graph",
    "people_suggestions",
    "pull_gallery",
    "push_gallery",
    "quantise_encoder",
    "remove_encoder",
    "search_many",
    "search_photo",
    "show_person",
    "train_encoder",
    "unforget_photos",
    "unlocked_gallery",
    "upgrade_gallery",
    "verify_photos",
    "write_evaluation",
    "write_report",
    "write_sidecars",
]

if not TYPE_CHECKING:  # to a type checker any misspelt name would be there
    __getattr__, __dir__ = lazy_exports(__name__, _MODULES)
